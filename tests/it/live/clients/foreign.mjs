// Somebody is signed in at the server, with a cookie, and opens a page of another origin on the same machine. That page
// tries to follow them. It prints what the page got.
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const [server, login, password] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
await page.goto(`${server}/docs/`);
await page.evaluate(signIn, { login, password });
console.log(JSON.stringify({ own: await page.evaluate(follow, server) }));
// A cookie belongs to all ports of a host, so the browser sends it for this page too.
const other = createServer((_request, response) => response.setHeader("content-type", "text/html").end("<title>another</title>"));
await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
await page.goto(`http://127.0.0.1:${other.address().port}/`);
console.log(JSON.stringify({ foreign: await page.evaluate(follow, server) }));
await browser.close();
other.close();

async function signIn({ login, password }) {
  const body = JSON.stringify({ login, password, cookie: true });
  const answer = await fetch("/v1/sessions", { method: "POST", headers: { "content-type": "application/json" }, body });
  if (answer.status !== 201) throw new Error(`not signed in: ${answer.status} ${await answer.text()}`);
}

async function follow(server) {
  const websocket = await new Promise((resolve) => {
    const socket = new WebSocket(`${server.replace("http", "ws")}/v1/live`);
    socket.onmessage = ({ data }) => resolve(JSON.parse(data).type);
    socket.onclose = ({ code }) => resolve(code);
  });
  const eventsource = await new Promise((resolve) => {
    const source = new EventSource(`${server}/v1/live`, { withCredentials: true });
    source.onmessage = ({ data }) => { source.close(); resolve(JSON.parse(data).type); };
    source.onerror = () => { source.close(); resolve("refused"); };
  });
  return { websocket, eventsource };
}
