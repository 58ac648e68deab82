// npm @fluent-org/logger on both sides: its client -> poseur serve -> its server. Shared keys and users, EventTime, gzip, and
// acknowledgements on both sides.

import assert from "node:assert/strict";
import { load, records, withStage } from "./stage.mjs";

const { EventTime, FluentClient, FluentServer } = load("@fluent-org/logger");
const { sent, expected, count } = records(5);
const times = sent.map((_, at) => new EventTime(1_700_000_000 + Math.floor(at / 7), at));

async function through(mode) {
  const server = new FluentServer({
    listenOptions: { host: "127.0.0.1", port: 0 },
    security: { serverHostname: "storage", sharedKey: "out key", authorize: true, userDict: { stage: "out word" } },
  });
  await server.listen();
  const received = [];
  server.on("entry", (tag, time, record) => received.push({ tag, time, record }));
  const config = `
pipelines:
  teams:
    source:
      type: forward
      listen: 127.0.0.1:0
      hostname: stage
      shared_key: { env: IN_KEY }
      users: [{ name: agent, password: { env: IN_WORD } }]
    sink:
      type: forward
      connect: ["127.0.0.1:${server.port}"]
      hostname: stage
      shared_key: { env: OUT_KEY }
      user: { name: stage, password: { env: OUT_WORD } }
      compress: ${mode === "CompressedPackedForward" ? "gzip" : "none"}
`;
  const env = { IN_KEY: "in key", IN_WORD: "in word", OUT_KEY: "out key", OUT_WORD: "out word" };
  await withStage(config, env, async (port) => {
    const client = (key) => new FluentClient("teams", {
      eventMode: mode,
      socket: { host: "127.0.0.1", port, timeout: 10_000 },
      security: { clientHostname: "agent", sharedKey: key, username: "agent", password: "in word" },
      ack: { ackTimeout: 30_000 },
      flushInterval: 20,
    });
    const stranger = client("another key");
    const refused = new Promise((resolve) => stranger.socketOn("error", resolve));
    let acknowledged = false;
    stranger.emit("audit", sent[0]).then(() => { acknowledged = true; }, () => {});
    assert.match(String(await refused), /shared key mismatch/);
    assert(!acknowledged);
    assert.equal(received.length, 0);

    const known = client("in key");
    // Each of these promises is kept when its chunk has been acknowledged.
    await Promise.all(sent.map((record, at) => known.emit("audit", record, times[at])));
    assert.equal(received.length, sent.length, "acknowledged before all of it was there");
    await known.disconnect();
  });
  await server.close();
  received.forEach(({ tag, time, record }, at) => {
    assert.equal(tag, "teams.audit");
    assert.deepEqual([time.epoch, time.nano], [times[at].epoch, times[at].nano]);
    assert.deepEqual(record, expected[at]);
  });
  console.log(`@fluent-org/logger, client and server, ${mode}: ${received.length} events acknowledged, ${count} tagged`);
}

for (const mode of ["Message", "Forward", "PackedForward", "CompressedPackedForward"]) await through(mode);
