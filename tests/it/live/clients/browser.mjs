// A page in Chromium that signs in with a cookie, and follows with the browser's own WebSocket or EventSource. It prints
// every frame, and at last the close code that says not to come back.
import { chromium } from "playwright-core";

const [way, server, login, password] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
// A page of the server itself. Chromium would not let a page that Playwright makes up connect to this machine.
await page.goto(`${server}/docs/`);

let done;
const ended = new Promise((resolve) => { done = resolve; });
await page.exposeFunction("show", (line) => {
  console.log(line);
  if (!line.startsWith("{")) done();
});
await page.evaluate(signIn, { login, password });
await page.evaluate(way === "websocket" ? followWithWebSocket : followWithEventSource);
await ended;
await browser.close();

async function signIn({ login, password }) {
  const body = JSON.stringify({ login, password, cookie: true });
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/v1/sessions", { method: "POST", headers, body });
  if (answer.status !== 201) throw new Error(`not signed in: ${answer.status} ${await answer.text()}`);
}

function followWithWebSocket() {
  let cursor;
  let logId;
  const connect = () => {
    const socket = new WebSocket(`/v1/live${cursor ? `?after=${encodeURIComponent(cursor)}` : ""}`);
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      window.show(data);
      if (frame.type === "hello") logId = frame.log_id;
      if (frame.cursor) cursor = frame.cursor;
      if (frame.type === "event") cursor = `${logId}:${frame.position}`;
    };
    socket.onclose = ({ code }) => (code >= 4100 && code < 4200 ? window.show(String(code)) : setTimeout(connect, 20));
  };
  connect();
}

function followWithEventSource() {
  const source = new EventSource("/v1/live");
  source.onmessage = ({ data }) => window.show(data);
  source.addEventListener("close", ({ data }) => {
    source.close();
    window.show(String(JSON.parse(data).code));
  });
}
