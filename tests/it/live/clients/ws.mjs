// A client with `ws` of npm. It prints every frame, and at last the close code that says not to come back.
import WebSocket from "ws";

const [server, token] = process.argv.slice(2);
const address = `${server.replace("http", "ws")}/v1/live`;
let cursor;

function connect() {
  const query = cursor ? `?after=${encodeURIComponent(cursor)}` : "";
  const socket = new WebSocket(address + query, { headers: { authorization: `Bearer ${token}` } });
  let logId;
  socket.on("unexpected-response", (_request, response) => end(response.statusCode === 401 ? 4101 : response.statusCode));
  socket.on("message", (data, isBinary) => {
    if (isBinary) throw new Error("a binary message");
    const frame = JSON.parse(data);
    console.log(JSON.stringify(frame));
    if (frame.type === "hello") logId = frame.log_id;
    if (frame.cursor) cursor = frame.cursor;
    if (frame.type === "event") cursor = `${logId}:${frame.position}`;
  });
  socket.on("error", () => {});
  socket.on("close", end);
}

function end(code) {
  if (code < 1000) throw new Error(`refused: ${code}`);
  if (code < 4100 || code >= 4200) return void setTimeout(connect, 20);
  console.log(code);
  process.exit();
}

connect();
