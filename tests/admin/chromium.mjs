// A headless Chromium, driven through its debugging pipe: no package is needed, and no port is opened.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/// Starts a browser. Its profile is deleted with it.
export async function start(program) {
  const profile = mkdtempSync(join(tmpdir(), "poseur-chromium-"));
  const child = spawn(program, [
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", `--user-data-dir=${profile}`,
  ], { stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (bytes) => { errors = (errors + bytes).slice(-4000); });
  return new Browser(child, profile, () => errors);
}

class Browser {
  #child; #profile; #errors; #waiting = new Map(); #last = 0; #listeners = []; #gone = null;

  constructor(child, profile, errors) {
    [this.#child, this.#profile, this.#errors] = [child, profile, errors];
    let rest = Buffer.alloc(0);
    child.stdio[4].on("data", (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) {
        this.#take(JSON.parse(rest.subarray(0, end)));
      }
    });
    const gone = (reason) => {
      this.#gone = new Error(`the browser is gone: ${reason}\n${this.#errors()}`);
      for (const { reject } of this.#waiting.values()) reject(this.#gone);
    };
    child.on("error", gone);
    child.on("exit", (code) => gone(`exit code ${code}`));
    child.stdio[3].on("error", () => {});
  }

  #take(message) {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return this.#listeners.forEach((listener) => listener(message));
    this.#waiting.delete(message.id);
    if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
    else waiting.resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    if (this.#gone) return Promise.reject(this.#gone);
    const id = ++this.#last;
    this.#child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, method }));
  }

  /// A new page, on a phone of this width and height.
  async page(width, height) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId);
    this.#listeners.push((message) => message.sessionId === sessionId && page.take(message));
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
    await page.size(width, height);
    return page;
  }

  async close() {
    const ended = new Promise((resolve) => this.#child.on("exit", resolve));
    // Asked, it waits for its own processes; they must not write into the profile any more.
    this.send("Browser.close").catch(() => {});
    const stuck = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(stuck);
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }
}

class Page {
  #browser; #session;
  /// What the page complained about, and what it asked for.
  complaints = []; requests = [];

  constructor(browser, session) {
    [this.#browser, this.#session] = [browser, session];
  }

  take({ method, params }) {
    if (method === "Runtime.exceptionThrown") {
      const { text, exception } = params.exceptionDetails;
      this.complaints.push(`${text} ${exception?.description ?? ""}`);
    } else if (method === "Runtime.consoleAPICalled") {
      this.complaints.push(params.args.map((arg) => arg.value ?? arg.description).join(" "));
    } else if (method === "Log.entryAdded") {
      this.complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    } else if (method === "Network.requestWillBeSent") {
      this.requests.push(params.request.url);
    }
  }

  send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  size(width, height) {
    return this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 2, mobile: width < 600 });
  }

  colours(scheme) {
    return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  }

  async open(url) {
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
  }

  /// The value of an expression, in the page.
  async value(expression) {
    const answer = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (answer.exceptionDetails) throw new Error(`${expression}: ${answer.exceptionDetails.exception?.description}`);
    return answer.result.value;
  }

  /// Waits until an expression is true.
  async until(expression, seconds = 30) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
      if (await this.value(expression).catch(() => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`never true: ${expression}\n${await this.value("document.body.innerText")}`);
  }

  /// Writes a picture of all of the page.
  async picture(file) {
    const { cssContentSize: { width, height } } = await this.send("Page.getLayoutMetrics");
    const clip = { x: 0, y: 0, width, height: Math.min(height, 2400), scale: 1 };
    const { data } = await this.send("Page.captureScreenshot", { clip, captureBeyondViewport: true });
    writeFileSync(file, Buffer.from(data, "base64"));
  }
}
