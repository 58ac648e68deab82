// A stage as the peers in JavaScript start it, the records they send, and what must become of them.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/// Packages from where they were installed: in the folder PACKAGES.
export const load = createRequire(join(process.env.PACKAGES, "package.json"));

process.once("SIGTERM", () => process.exit(1));

const poseur = process.env.POSEUR;
const samples = fileURLToPath(new URL("../../examples/samples/teams.ndjson", import.meta.url));

/// Asks again and again, and returns the first answer that is true; throws if none comes in time.
export async function until(what, found, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = found();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`after ${seconds} s still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/// Sample records, so many times; and what `poseur tag` makes of them.
export function records(times) {
  const lines = Array(times).fill(readFileSync(samples, "utf8").trimEnd().split("\n")).flat()
    .filter((line) => line.startsWith("{"));
  const { stdout, status } = spawnSync(poseur, ["tag", "--quiet"], { input: lines.join("\n") + "\n", maxBuffer: 1 << 30 });
  assert.equal(status, 0);
  const tagged = stdout.toString().trimEnd().split("\n");
  assert.equal(tagged.length, lines.length);
  const count = lines.filter((line, at) => line !== tagged[at]).length;
  assert(count >= 5 && count < lines.length / 10, `${count} of ${lines.length} records are tagged`);
  const parse = (all) => all.map((line) => JSON.parse(line));
  return { sent: parse(lines), expected: parse(tagged), count };
}

/// `poseur serve` with a configuration, while `work` is done with the port at which it listens.
export async function withStage(config, env, work) {
  const folder = mkdtempSync(join(tmpdir(), "poseur-peer-"));
  const [file, log] = [join(folder, "poseur.yaml"), join(folder, "log")];
  writeFileSync(file, config);
  const errors = openSync(log, "w");
  const child = spawn(poseur, ["serve", "--config", file, "--log", "json"], {
    stdio: ["ignore", errors, errors], env: { ...process.env, ...env },
  });
  // However this ends, at the end of somebody's patience, too.
  process.once("exit", () => child.kill("SIGKILL"));
  const said = () => readFileSync(log, "utf8");
  const ended = new Promise((resolve) => child.on("exit", resolve));
  try {
    const place = await until("the stage to listen", () => {
      if (child.exitCode !== null) throw new Error(`the stage ended: ${said()}`);
      const lines = said().split("\n").slice(0, -1);
      const line = lines.find((line) => line.includes('"listening"'));
      return line && JSON.parse(line).fields.place;
    });
    await work(Number(place.split(":").pop()));
    child.kill("SIGTERM");
    assert.equal(await ended, 0, said());
  } catch (error) {
    console.error(said());
    throw error;
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}
