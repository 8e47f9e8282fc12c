// A team's first day, through the types that openapi-typescript generates and openapi-fetch, and nothing else.
//
// It uses every tag of the document. There is no raw request, no cast and no ignored type. Most reads follow a write of
// the same session, and send no position: a session reads its own writes.
//
//     node scenario.ts http://127.0.0.1:8080

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { paths } from "./schema.ts";

type Client = ReturnType<typeof createClient<paths>>;

type Answer<T> = { data?: T; error?: unknown; response: Response };

const PASSWORD = "correct horse battery";
const WAIT_MS_MAX = 30_000;

/** The answer of an operation that succeeded. */
async function expect<T>(answered: Promise<Answer<T>>): Promise<NonNullable<T>> {
  const { data, error, response } = await answered;
  if (data === undefined || data === null) throw new Error(`${response.status} ${response.url}: ${JSON.stringify(error)}`);
  return data;
}

/** Checks that a command succeeded. Returns its position in the log. */
async function done(answered: Promise<{ error?: unknown; response: Response }>): Promise<string> {
  const { error, response } = await answered;
  if (!response.ok) throw new Error(`${response.status} ${response.url}: ${JSON.stringify(error)}`);
  return response.headers.get("Backscroll-Position") ?? "0";
}

/** Reads again until it holds. Only for what happens after a command: exports, searches, signed heads. */
async function eventually<T>(read: () => Promise<T>, holds: (answer: T) => boolean, what: string): Promise<T> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (Date.now() < deadline) {
    const answer = await read();
    if (holds(answer)) return answer;
    await delay(50);
  }
  throw new Error(`not in ${WAIT_MS_MAX} ms: ${what}`);
}

async function aHealthyServer(server: Client) {
  assert.equal((await expect(server.GET("/healthz"))).status, "ok");
  await expect(server.GET("/readyz"));
  assert.notEqual((await expect(server.GET("/v1/server"))).name, "");
}

/** Registers, signs in, and looks at the own session and profile. */
async function aPerson(server: Client, url: string, name: string): Promise<Client> {
  const username = `${name.toLowerCase()}-${randomUUID().slice(0, 13)}`;
  const user = { email: `${username}@example.org`, username, display_name: name, password: PASSWORD };
  const registered = await expect(server.POST("/v1/users", { body: user }));
  const session = await expect(server.POST("/v1/sessions", { body: { login: username, password: PASSWORD } }));
  assert.equal(session.user_id, registered.user_id);

  const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${session.token}` } });
  const sessions = await expect(client.GET("/v1/sessions"));
  assert.deepEqual(sessions.items.filter((shown) => shown.current).map((shown) => shown.session_id), [session.session_id]);
  await done(client.PUT("/v1/users/me/custom-status", { body: { text: "Setting up", emoji: "🛠" } }));
  const me = await expect(client.GET("/v1/users/me"));
  assert.deepEqual([me.username, me.custom_status?.text], [username, "Setting up"]);
  return client;
}

async function idOf(client: Client): Promise<string> {
  return (await expect(client.GET("/v1/users/me"))).user_id;
}

async function aWorkspace(ada: Client): Promise<string> {
  const created = await expect(ada.POST("/v1/workspaces", { body: { name: "Analytical Engines" } }));
  const listed = await expect(ada.GET("/v1/workspaces"));
  assert.ok(listed.items.some((row) => row.workspace_id === created.workspace_id), "the new workspace is listed at once");
  const path = { workspace_id: created.workspace_id };
  assert.equal((await expect(ada.GET("/v1/workspaces/{workspace_id}", { params: { path } }))).name, "Analytical Engines");
  return created.workspace_id;
}

async function anInvitation(ada: Client, ben: Client, workspace_id: string) {
  const path = { workspace_id };
  const { email } = await expect(ben.GET("/v1/users/me"));
  const invited = await expect(
    ada.POST("/v1/workspaces/{workspace_id}/invitations", { params: { path }, body: { email, role: "member" } }),
  );
  const open = await expect(ada.GET("/v1/workspaces/{workspace_id}/invitations", { params: { path } }));
  assert.ok(open.items.some((row) => row.invitation_id === invited.invitation_id));
  const token = { token: invited.token };
  const accepted = await expect(ben.POST("/v1/invitations/{token}/acceptance", { params: { path: token } }));
  assert.equal(accepted.workspace_id, workspace_id);
  const members = await expect(ben.GET("/v1/workspaces/{workspace_id}/members", { params: { path } }));
  assert.equal(members.items.length, 2);
}

/** A public channel that Ben joins, and a direct conversation. */
async function channels(ada: Client, ben: Client, workspace_id: string): Promise<string> {
  const workspace = { path: { workspace_id } };
  const plans = { type: "public", name: "plans", topic: "What we build next" } as const;
  const { channel_id } = await expect(
    ada.POST("/v1/workspaces/{workspace_id}/channels", { params: workspace, body: plans }),
  );
  const channel = { path: { channel_id } };
  const topic = "The next engine";
  const changedAt = await done(ada.PUT("/v1/channels/{channel_id}/topic", { params: channel, body: { topic } }));
  assert.equal((await expect(ada.GET("/v1/channels/{channel_id}", { params: channel }))).topic, topic);

  // Ben's session did not write this, so he asks for the position of Ada's command.
  const header = { "Backscroll-Min-Position": changedAt };
  assert.equal((await expect(ben.GET("/v1/channels/{channel_id}", { params: { ...channel, header } }))).topic, topic);
  await done(ben.PUT("/v1/channels/{channel_id}/membership", { params: channel }));
  const members = await expect(ben.GET("/v1/channels/{channel_id}/members", { params: channel }));
  assert.equal(members.items.length, 2);

  const others = [await idOf(ben)];
  const conversation = await expect(
    ada.POST("/v1/workspaces/{workspace_id}/channels", { params: workspace, body: { type: "dm", members: others } }),
  );
  const mine = await expect(ada.GET("/v1/workspaces/{workspace_id}/channels", { params: workspace }));
  const listed = mine.items.map((row) => row.channel_id);
  assert.ok(listed.includes(channel_id) && listed.includes(conversation.channel_id));
  return channel_id;
}

/** Returns Ben's message, which answers Ada's. */
async function messages(ada: Client, ben: Client, workspace_id: string, channel_id: string): Promise<string> {
  const channel = { channel_id };
  const benId = await idOf(ben);
  const body = { content: `Shall we build the mill, <@${benId}>?` };
  const once = { path: channel, header: { "Idempotency-Key": randomUUID() } };
  const first = await ada.POST("/v1/channels/{channel_id}/messages", { params: once, body });
  const again = await ada.POST("/v1/channels/{channel_id}/messages", { params: once, body });
  assert.ok(first.data && again.data);
  const { message_id } = first.data;
  assert.equal(again.data.message_id, message_id, "the same key posts once");
  assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");

  const position = first.response.headers.get("Backscroll-Position") ?? "0";
  const mentions = await expect(
    ben.GET("/v1/workspaces/{workspace_id}/mentions", {
      params: { path: { workspace_id }, header: { "Backscroll-Min-Position": position } },
    }),
  );
  assert.deepEqual(mentions.items.map((row) => row.message_id), [message_id]);

  const answer = await expect(
    ben.POST("/v1/channels/{channel_id}/messages", { params: { path: channel }, body: { content: "Yes", thread_id: message_id } }),
  );
  const message = { path: { message_id } };
  const thread = await expect(ben.GET("/v1/messages/{message_id}/thread", { params: message }));
  assert.deepEqual(thread.replies.items.map((row) => row.message_id), [answer.message_id]);

  const reaction = { path: { message_id, emoji: "👍" } };
  await done(ben.PUT("/v1/messages/{message_id}/reactions/{emoji}", { params: reaction }));
  const reactions = await expect(ben.GET("/v1/messages/{message_id}/reactions/{emoji}", { params: reaction }));
  assert.deepEqual(reactions.items.map((row) => row.user_id), [benId]);
  await done(ada.PUT("/v1/messages/{message_id}/pin", { params: message }));
  const pins = await expect(ada.GET("/v1/channels/{channel_id}/pins", { params: { path: channel } }));
  assert.deepEqual(pins.items.map((row) => row.message_id), [message_id]);
  const edited = { content: "Shall we build the store?" };
  await done(ada.PATCH("/v1/messages/{message_id}", { params: message, body: edited }));
  assert.equal((await expect(ada.GET("/v1/messages/{message_id}", { params: message }))).content, edited.content);
  const edits = await expect(ada.GET("/v1/messages/{message_id}/edits", { params: message }));
  assert.deepEqual(edits.items.map((edit) => edit.content), [body.content]);
  return answer.message_id;
}

/** Walks through a channel from the newest page to the oldest, and deletes what it posted for that. */
async function pages(ada: Client, channel_id: string) {
  const path = { channel_id };
  const posted: string[] = [];
  for (const n of [1, 2, 3, 4, 5]) {
    const body = { content: `Note ${n}` };
    posted.push((await expect(ada.POST("/v1/channels/{channel_id}/messages", { params: { path }, body }))).message_id);
  }
  const walked: string[] = [];
  let page = await expect(ada.GET("/v1/channels/{channel_id}/messages", { params: { path, query: { limit: 2 } } }));
  for (;;) {
    walked.unshift(...page.items.map((row) => row.message_id));
    if (!page.previous) break;
    const query = { limit: 2, before: page.previous };
    page = await expect(ada.GET("/v1/channels/{channel_id}/messages", { params: { path, query } }));
  }
  assert.deepEqual(walked.slice(-5), posted, "every message once, oldest first");
  for (const message_id of posted) {
    await done(ada.DELETE("/v1/messages/{message_id}", { params: { path: { message_id } } }));
  }
  const left = await expect(ada.GET("/v1/channels/{channel_id}/messages", { params: { path } }));
  assert.ok(!left.items.some((row) => posted.includes(row.message_id)), "deleted messages are not listed");
}

/** Everything that a first screen needs, and then what changes. */
async function changes(ada: Client, ben: Client, workspace_id: string, channel_id: string) {
  const path = { workspace_id };
  const start = await expect(ben.GET("/v1/workspaces/{workspace_id}/start", { params: { path } }));
  assert.ok(start.channels.some((row) => row.channel_id === channel_id));
  const body = { content: "The mill turns." };
  const position = await done(ada.POST("/v1/channels/{channel_id}/messages", { params: { path: { channel_id } }, body }));
  const header = { "Backscroll-Min-Position": position };
  const query = { after: start.cursor };
  const seen = await expect(ben.GET("/v1/workspaces/{workspace_id}/changes", { params: { path, query, header } }));
  assert.ok(seen.items.length >= 1 && seen.next !== start.cursor);
}

async function unread(ada: Client, ben: Client, workspace_id: string, channel_id: string) {
  const path = { channel_id };
  const body = { content: "The drawings are done." };
  const noted = await ada.POST("/v1/channels/{channel_id}/messages", { params: { path }, body });
  assert.ok(noted.data);
  const header = { "Backscroll-Min-Position": noted.response.headers.get("Backscroll-Position") ?? "0" };
  const workspace = { path: { workspace_id } };
  const before = await expect(ben.GET("/v1/workspaces/{workspace_id}/unread", { params: { ...workspace, header } }));
  assert.ok(before.channels.some((row) => row.channel_id === channel_id && row.unread > 0));
  const { message_id } = noted.data;
  await expect(ben.PUT("/v1/channels/{channel_id}/read-marker", { params: { path }, body: { message_id } }));
  const after = await expect(ben.GET("/v1/workspaces/{workspace_id}/unread", { params: workspace }));
  assert.ok(after.channels.every((row) => row.channel_id !== channel_id || row.unread === 0));
}

async function presence(ada: Client, ben: Client, workspace_id: string, channel_id: string) {
  const benId = await idOf(ben);
  const workspace = { workspace_id };
  await done(
    ben.PUT("/v1/workspaces/{workspace_id}/presence", {
      params: { path: workspace },
      body: { presence: "online", device_type: "desktop" },
    }),
  );
  const query = { users: [benId] };
  const shown = await expect(ada.GET("/v1/workspaces/{workspace_id}/presence", { params: { path: workspace, query } }));
  assert.deepEqual(shown.items.map((row) => row.presence), ["online"]);
  const channel = { path: { channel_id } };
  await done(ben.PUT("/v1/channels/{channel_id}/typing", { params: channel }));
  const typing = await expect(ada.GET("/v1/channels/{channel_id}/typing", { params: channel }));
  assert.deepEqual(typing.items.map((row) => row.user_id), [benId]);
}

async function search(ada: Client, workspace_id: string, reply: string) {
  const path = { workspace_id };
  const found = await eventually(
    () => expect(ada.GET("/v1/workspaces/{workspace_id}/search/messages", { params: { path, query: { q: "yes" } } })),
    (hits) => hits.items.length === 1 && hits.items[0]?.message.message_id === reply,
    "Ben's answer is found",
  );
  assert.equal(found.total, 1);
  const people = await expect(
    ada.GET("/v1/workspaces/{workspace_id}/search/people", { params: { path, query: { q: "ben" } } }),
  );
  assert.deepEqual(people.items.map((person) => person.display_name), ["Ben"]);
}

async function administration(ada: Client, workspace_id: string, channel_id: string) {
  const workspace = { path: { workspace_id } };
  const emoji = { path: { workspace_id, emoji_name: "difference-engine" } };
  await done(ada.PUT("/v1/workspaces/{workspace_id}/emojis/{emoji_name}", { params: emoji }));
  const emojis = await expect(ada.GET("/v1/workspaces/{workspace_id}/emojis", { params: workspace }));
  assert.deepEqual(emojis.items.map((own) => own.name), ["difference-engine"]);

  const counts = await expect(
    ada.GET("/v1/workspaces/{workspace_id}/analytics/messages", { params: { ...workspace, query: { by: "channel" } } }),
  );
  assert.ok(counts.items.reduce((sum, row) => sum + row.messages, 0) >= 2);

  const { hold_id } = await expect(
    ada.POST("/v1/workspaces/{workspace_id}/holds", {
      params: workspace,
      body: { on: { kind: "channel", channel_id }, reason: "Case 2026/114" },
    }),
  );
  const holds = await expect(ada.GET("/v1/workspaces/{workspace_id}/holds", { params: workspace }));
  assert.deepEqual(holds.items.map((standing) => standing.hold_id), [hold_id]);
  await done(
    ada.PUT("/v1/workspaces/{workspace_id}/holds/{hold_id}/release", {
      params: { path: { workspace_id, hold_id } },
      body: { reason: "The case is closed" },
    }),
  );
  assert.equal((await expect(ada.GET("/v1/workspaces/{workspace_id}/holds", { params: workspace }))).items.length, 0);

  const preview = await expect(ada.GET("/v1/workspaces/{workspace_id}/retention/preview", { params: workspace }));
  assert.equal(preview.messages, 0);
  await done(ada.POST("/v1/workspaces/{workspace_id}/retention/runs", { params: workspace }));
}

/** The audit, the log, and the proof that the log is the one that it was. */
async function evidence(ada: Client, server: Client, workspace_id: string) {
  const workspace = { path: { workspace_id } };
  assert.ok((await expect(ada.GET("/v1/workspaces/{workspace_id}/audit", { params: workspace }))).items.length > 10);
  const exported = await expect(
    ada.GET("/v1/workspaces/{workspace_id}/audit/export", { params: workspace, parseAs: "text" }),
  );
  assert.ok(exported.trimEnd().split("\n").length > 10, "the export has a line for each entry");
  const log = await expect(
    ada.GET("/v1/workspaces/{workspace_id}/log", { params: { ...workspace, query: { limit: 1 } } }),
  );
  const position = log.items[0]?.position;
  assert.ok(position);

  assert.ok((await expect(server.GET("/v1/proof/keys"))).items.length >= 1);
  await eventually(
    () => server.GET("/v1/proof/inclusion", { params: { query: { position } } }),
    ({ data }) => data?.position === position,
    "the event is in the signed tree",
  );
  const head = await expect(server.GET("/v1/proof/checkpoint", { parseAs: "text" }));
  assert.match(head, /^— /m, "the head of the tree is signed");
}

async function ownData(ada: Client) {
  const password = { current_password: PASSWORD };
  const { export_id } = await expect(ada.POST("/v1/users/me/export", { body: password }));
  const params = { path: { export_id } };
  await eventually(
    () => expect(ada.GET("/v1/exports/{export_id}", { params })),
    (shown) => shown.state === "ready",
    "the export is ready",
  );
  const packed = await expect(
    ada.POST("/v1/exports/{export_id}/download", { params, body: password, parseAs: "arrayBuffer" }),
  );
  assert.deepEqual([...new Uint8Array(packed).slice(0, 2)], [..."PK"].map((c) => c.charCodeAt(0)), "it is a zip");
}

/** The first user of a server is its operator. */
async function operations(ada: Client) {
  const projections = await expect(ada.GET("/v1/projections"));
  assert.ok(projections.items.some((projection) => projection.name === "relational"));
}

async function theEnd(ada: Client) {
  await done(ada.DELETE("/v1/sessions/current"));
  const { error } = await ada.GET("/v1/users/me");
  assert.deepEqual([error?.status, error?.code], [401, "auth.token_invalid"]);
}

async function main(url: string) {
  const server = createClient<paths>({ baseUrl: url });
  await aHealthyServer(server);
  const ada = await aPerson(server, url, "Ada");
  const ben = await aPerson(server, url, "Ben");
  const workspace = await aWorkspace(ada);
  await anInvitation(ada, ben, workspace);
  const channel = await channels(ada, ben, workspace);
  const reply = await messages(ada, ben, workspace, channel);
  await pages(ada, channel);
  await changes(ada, ben, workspace, channel);
  await unread(ada, ben, workspace, channel);
  await presence(ada, ben, workspace, channel);
  await search(ada, workspace, reply);
  await administration(ada, workspace, channel);
  await evidence(ada, server, workspace);
  await ownData(ada);
  await operations(ada);
  await theEnd(ada);
  console.log("done");
}

const [, , url] = process.argv;
assert.ok(url, "the address of a server");
await main(url);
