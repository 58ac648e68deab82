// Microsoft's parser on the queries of queries.txt. See README.md in this folder.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));

function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** Loads the package's scripts, which define the global `Kusto`. */
function loadParser() {
  const given = option('--package');
  const roots = given ? [given] : (process.env.NODE_PATH ?? '').split(':').filter(Boolean);
  const scripts = ['bridge.js', 'Kusto.Language.Bridge.js'];
  for (const root of [...roots, folder]) {
    const require = createRequire(join(resolve(root), 'package.json'));
    for (const prefix of ['@kusto/language-service-next/', './@kusto/language-service-next/']) {
      try {
        scripts.forEach((script) => require(prefix + script));
        return;
      } catch (error) {
        if (error.code !== 'MODULE_NOT_FOUND') throw error;
      }
    }
  }
  console.error('@kusto/language-service-next is not installed: give its folder with --package DIR');
  process.exit(2);
}

/** The first syntax error of a query, if it has one. */
function syntaxError(query) {
  const found = Kusto.Language.KustoCode.Parse(query).GetSyntaxDiagnostics();
  // Without errors the list is a plain, empty array.
  return found.Count ? found.getItem(0).Message : undefined;
}

/** The blocks of queries.txt. */
function blocks() {
  const found = [];
  for (const line of readFileSync(join(folder, 'queries.txt'), 'utf8').split('\n')) {
    if (line.startsWith('=== ')) found.push({ wanted: line.split(' ')[1], query: '' });
    else if (found.length > 0) found.at(-1).query += `${line}\n`;
  }
  return found.map(({ wanted, query }) => ({ wanted, query: `${query.trimEnd()}\n` }));
}

loadParser();

const files = option('--files');
if (files) {
  for (const name of readdirSync(files).sort()) {
    const path = join(files, name);
    console.log(`${syntaxError(readFileSync(path, 'utf8')) ? 'BAD' : 'ok'}\t${path}`);
  }
  process.exit(0);
}

const counts = { accept: 0, refuse: 0, syntax: 0 };
let wrong = 0;
for (const { wanted, query } of blocks()) {
  counts[wanted] += 1;
  const error = syntaxError(query);
  if ((error === undefined) === (wanted !== 'syntax')) continue;
  wrong += 1;
  console.error(`${wanted}, but Microsoft's parser says: ${error ?? 'no error'}\n${query}`);
}
console.log(`${counts.accept} accepted, ${counts.refuse} refused, ${counts.syntax} with syntax errors; ${wrong} differ`);
process.exit(wrong === 0 ? 0 : 1);
