// The live page of `poseur serve` in a real browser: what it shows on a phone, that texts of attackers stay texts, that
// it asks nobody else for anything, and that it comes back when the connection does.
//
//   node tests/admin/live_page.mjs --poseur target/debug/poseur [--chromium chromium] [--pictures FOLDER] [--metrics FILE]

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { start } from "./chromium.mjs";

const { values: options } = parseArgs({ options: {
  poseur: { type: "string" }, chromium: { type: "string", default: "chromium" }, pictures: { type: "string" },
  metrics: { type: "string" },
} });
assert(options.poseur, "--poseur PATH is missing");
setTimeout(() => { console.error("it took too long"); process.exit(1); }, 240_000).unref();

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
};
const [admin, teams, broken, nobody] = [await freePort(), await freePort(), await freePort(), await freePort()];
const origin = `http://127.0.0.1:${admin}`;
const folder = mkdtempSync(join(tmpdir(), "poseur-page-"));
const config = join(folder, "poseur.yaml");
writeFileSync(config, `
pipelines:
  teams:
    exceptions: [${folder}/exceptions.yaml]
    source: { type: http, listen: 127.0.0.1:${teams} }
    sink: { type: "null" }
  broken:
    source: { type: http, listen: 127.0.0.1:${broken} }
    sink: { type: http, url: http://127.0.0.1:${nobody}/ }
    retry: { first: 20ms, longest: 100ms, limit: 300ms }
admin: { listen: 127.0.0.1:${admin} }
`);
writeFileSync(join(folder, "exceptions.yaml"), `
exceptions:
  - id: our-own-desk
    reason: our own help desk
    owner: security@contoso.example
    email: helpdesk@contoso.example
`);

const until = async (what, isSo) => {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    if (await isSo().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never so: ${what}`);
};
const serve = async () => {
  const child = spawn(options.poseur, ["serve", "-c", config], { stdio: ["ignore", "inherit", "inherit"] });
  await until("poseur is ready", async () => (await fetch(`${origin}/readyz`)).ok);
  return child;
};
const end = async (child) => {
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  assert.equal((await ended)[0], 0);
};
const post = (port, ...records) =>
  fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: records.map((one) => JSON.stringify(one)).join("\n") });

const EVIL = `IT Support <img src=x onerror="document.title='owned'"><script>document.title='owned'</script>\u202Egnp.exe`;
const chat = (who) => ({
  CreationTime: "2026-11-20T08:00:00", Operation: "ChatCreated", RecordType: 25, Workload: "MicrosoftTeams", UserId: who,
  CommunicationType: "OneOnOne", Members: [{ DisplayName: "Vic Tim", UPN: "vic.tim@contoso.example" }],
  ParticipantInfo: { HasForeignTenantUsers: true, HasGuestUsers: false, HasOtherGuestUsers: false },
});
const row = {
  Timestamp: "2026-11-19T08:00:00Z", SenderEmailAddress: "a-very-long-name-that-does-not-fit.on-one-line.of-a-phone@contoso.example",
  RecipientDetails: [{ RecipientSmtpAddress: "x@evil.example", RecipientDisplayName: EVIL }],
  IsExternalThread: 1, IsOwnedThread: "True",
};
const other = { Operation: "MessageSent", Workload: "MicrosoftTeams" };

let poseur = await serve();
process.on("exit", () => poseur.kill("SIGKILL"));
const browser = await start(options.chromium);
try {
  const page = await browser.page(360, 740);
  await page.open(`${origin}/`);
  await page.until(`document.getElementById("link").textContent === "live"`);
  await page.until(`document.querySelectorAll("#pipelines section").length === 2`);
  assert(await page.value(`document.body.innerText.includes("None yet")`));

  const answer = await post(teams, chat("helpdesk@fabrikam.example"), other, row, chat("helpdesk@contoso.example"));
  assert.equal(answer.status, 200);
  await page.until(`document.querySelectorAll("#matches > li").length === 3`);
  const items = await page.value(`[...document.querySelectorAll("#matches > li")].map((one) => one.innerText)`);
  const item = (part) => items.find((one) => one.includes(part)) ?? assert.fail(`${part} is in none of\n${items.join("\n")}`);
  const found = item("helpdesk@fabrikam.example");
  for (const part of ["M365 Teams Rogue Help Desk Chat Created", "high", "vic.tim@contoso.example", "user.email", "helpdesk",
    "teams", "2026-11-20T08:00:00"]) assert(found.includes(part), `${part}\n${found}`);
  assert(item("helpdesk@contoso.example").includes("our-own-desk: our own help desk"));
  // A display name is shown letter by letter, and what nobody could see is made visible.
  const shown = EVIL.replace("\u202E", "‹U+202E›");
  assert(item("a-very-long-name").includes(shown), item("a-very-long-name"));
  assert.equal(await page.value("document.title"), "Poseur");
  assert.equal(await page.value(`document.querySelectorAll("img, iframe, #matches script").length`), 0);
  assert.equal(await page.value(`document.querySelectorAll("script").length`), 1);

  // The figures follow. What is shown of the rule is what /metrics says.
  const card = `[...document.querySelectorAll("#pipelines section")].find((one) => one.querySelector("h3").textContent === "teams")`;
  const figure = (name) => `[...${card}.querySelectorAll("dt")].find((one) => one.textContent === "${name}")?.nextSibling.textContent`;
  await page.until(`${figure("records")} === "4"`);
  await page.until(`${figure("matches")} === "2"`);
  await page.until(`${figure("suppressed")} === "1"`);
  assert(await page.value(`${card}.innerText.includes("healthy")`));
  const metrics = await (await fetch(`${origin}/metrics`)).text();
  assert(metrics.includes(`poseur_suppressed_matches_total{pipeline="teams",exception="our-own-desk"} 1`), metrics);

  if (options.metrics) writeFileSync(options.metrics, metrics);

  // A sink that fails is shown, and readiness knows it.
  assert.equal((await post(broken, other)).status, 503);
  await page.until(`document.body.innerText.includes("sink fails")`);
  assert.equal((await fetch(`${origin}/readyz`)).status, 503);

  // A change that is not taken is shown, too.
  writeFileSync(join(folder, "exceptions.yaml"), "exceptions: 7\n");
  await page.until(`document.getElementById("notes").innerText.includes("A change was not taken")`);

  for (const [width, height] of [[360, 740], [320, 568], [1280, 900]]) {
    await page.size(width, height);
    const widest = await page.value("document.documentElement.scrollWidth");
    assert(widest <= width, `at ${width} pixels the page is ${widest} wide`);
    for (const colours of ["light", "dark"]) {
      await page.colours(colours);
      const ground = await page.value("getComputedStyle(document.body).backgroundColor");
      const bright = ground.match(/\d+/g).slice(0, 3).every((one) => Number(one) > 127);
      assert.equal(bright, colours === "light", ground);
      if (!options.pictures) continue;
      mkdirSync(options.pictures, { recursive: true });
      await page.picture(join(options.pictures, `${width}-${colours}.png`));
    }
  }

  // Nobody complained, and nobody else was asked.
  assert.deepEqual(page.complaints, []);
  const elsewhere = page.requests.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith("data:"));
  assert.deepEqual(elsewhere, []);

  // The connection is lost, and comes back; what was there stays, and nothing is shown twice.
  await end(poseur);
  await page.until(`document.getElementById("link").textContent === "connection lost"`);
  assert.equal(await page.value(`document.querySelectorAll("#matches > li").length`), 3);
  writeFileSync(join(folder, "exceptions.yaml"), "exceptions: []\n");
  poseur = await serve();
  await page.until(`document.getElementById("link").textContent === "live"`);
  assert.equal((await post(teams, chat("helpdesk@northwind.example"))).status, 200);
  await page.until(`document.querySelector("#matches > li").innerText.includes("helpdesk@northwind.example")`);
  assert.equal(await page.value(`document.querySelectorAll("#matches > li").length`), 4);
  const others = page.complaints.filter((one) => !/ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/.test(one));
  assert.deepEqual(others, []);
  await end(poseur);
  console.log(`the live page: ${items.length + 1} matches shown, ${page.requests.length} requests, none elsewhere`);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
