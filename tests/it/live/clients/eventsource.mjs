// A client with `eventsource` of npm, which comes back by itself with `Last-Event-ID`. It prints every frame, and at last
// the close code that says not to come back.
import { EventSource } from "eventsource";

const [server, token] = process.argv.slice(2);
const fetchWithToken = (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });

// While it waits before it comes back, `eventsource` does not keep Node.js running.
setInterval(() => {}, 60_000);
const source = new EventSource(`${server}/v1/live`, { fetch: fetchWithToken });
source.addEventListener("message", ({ data }) => console.log(JSON.stringify(JSON.parse(data))));
source.addEventListener("close", ({ data }) => end(JSON.parse(data).code));
source.addEventListener("error", ({ code }) => code && code !== 200 && end(code === 401 ? 4101 : code));

function end(code) {
  source.close();
  if (code < 4100 || code >= 4200) throw new Error(`ended: ${code}`);
  console.log(code);
  process.exit();
}
