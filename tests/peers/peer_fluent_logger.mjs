// npm fluent-logger -> poseur serve -> the server of npm @fluent-org/logger. Acknowledgements on both sides.

import assert from "node:assert/strict";
import { load, records, withStage } from "./stage.mjs";

const { FluentServer } = load("@fluent-org/logger");
const logger = load("fluent-logger");
const { sent, expected, count } = records(5);
const times = sent.map((_, at) => new logger.EventTime(1_700_000_000 + Math.floor(at / 7), at));
const silent = { info() {}, error: console.error };

async function through(mode, sharedKey) {
  const server = new FluentServer({ listenOptions: { host: "127.0.0.1", port: 0 } });
  await server.listen();
  const received = [];
  server.on("entry", (tag, time, record) => received.push({ tag, time, record }));
  const config = `
pipelines:
  teams:
    source: { type: forward, listen: "127.0.0.1:0"${sharedKey ? ", shared_key: { env: KEY }, hostname: stage" : ""} }
    sink: { type: forward, connect: ["127.0.0.1:${server.port}"] }
`;
  await withStage(config, { KEY: sharedKey ?? "none" }, async (port) => {
    const sender = logger.createFluentSender("teams", {
      host: "127.0.0.1", port, timeout: 30, requireAckResponse: true, ackResponseTimeout: 30_000,
      eventMode: mode, flushInterval: 20, internalLogger: silent,
      ...(sharedKey && { security: { clientHostname: "agent", sharedKey } }),
    });
    const emit = (record, at) => new Promise((resolve, reject) => {
      sender.emit("audit", record, times[at], (error) => (error ? reject(error) : resolve()));
    });
    await Promise.all(sent.map(emit));
    assert.equal(received.length, sent.length, "acknowledged before all of it was there");
    sender.end();
  });
  await server.close();
  received.forEach(({ tag, time, record }, at) => {
    assert.equal(tag, "teams.audit");
    assert.deepEqual([time.epoch, time.nano], [times[at].epoch, times[at].nano]);
    assert.deepEqual(record, expected[at]);
  });
  console.log(`fluent-logger (npm), ${mode}: ${received.length} events acknowledged, ${count} tagged`);
}

await through("Message");
await through("PackedForward");
await through("CompressedPackedForward", "a key");
