"""A team's first day, through the client that openapi-python-client generates, and nothing else.

It uses every tag of the document. There is no raw request, no cast and no ignored type. Most reads follow a write of
the same session, and send no position: a session reads its own writes.

    python scenario.py http://127.0.0.1:8080
"""

import sys
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID, uuid4

from backscroll import AuthenticatedClient, Client
from backscroll.api.analytics import count_messages
from backscroll.api.audit import export_audit, read_audit
from backscroll.api.changes import list_changes
from backscroll.api.channel_members import join_channel, list_channel_members
from backscroll.api.channels import change_topic, create_channel, get_channel, list_channels
from backscroll.api.emojis import add_emoji, list_emojis
from backscroll.api.erasure import download_export, export_me, get_export
from backscroll.api.health import healthz, readyz
from backscroll.api.holds import list_holds, place_hold, release_hold
from backscroll.api.invitations import accept_invitation, invite, list_invitations
from backscroll.api.log import read_log
from backscroll.api.members import list_members
from backscroll.api.messages import (
    delete_message,
    edit_message,
    get_message,
    get_thread,
    list_edits,
    list_mentions,
    list_messages,
    list_pins,
    list_reactions,
    pin_message,
    post_message,
    react,
)
from backscroll.api.presence import announce_presence, announce_typing, list_presence, list_typing
from backscroll.api.projections import list_projections
from backscroll.api.proof import get_checkpoint, list_proof_keys, prove_inclusion
from backscroll.api.retention import preview_retention, start_retention_run
from backscroll.api.search import search_messages, search_people
from backscroll.api.server import get_server
from backscroll.api.sessions import end_current_session, list_sessions, start_session
from backscroll.api.unread import get_unread, move_read_marker
from backscroll.api.users import change_custom_status, get_me, register_user
from backscroll.api.workspaces import create_workspace, get_start, get_workspace, list_workspaces
from backscroll.models import (
    AnnouncePresence,
    ChangeCustomStatus,
    ChangeTopic,
    ChannelType,
    ConfirmPassword,
    CountMessagesBy,
    CreateChannel,
    CreateWorkspace,
    CustomStatus,
    DevicePresence,
    EditMessage,
    HoldOnChannel,
    HoldOnChannelKind,
    InclusionProof,
    Invite,
    MoveReadMarker,
    PlaceHold,
    PostMessage,
    Presence,
    Problem,
    RegisterUser,
    ReleaseHold,
    Role,
    StartSession,
)
from backscroll.types import Response

T = TypeVar("T")

PASSWORD = "correct horse battery"
WAIT_SECONDS_MAX = 30.0


def expect(answer: T | Problem | None) -> T:
    """The answer, if it is the operation's success. A problem ends the scenario."""
    if answer is None or isinstance(answer, Problem):
        raise SystemExit(f"refused: {answer}")
    return answer


def done(response: Response[T]) -> str:
    """Checks that a command succeeded. Returns its position in the log."""
    if response.status_code < 300:
        return str(response.headers.get("Backscroll-Position", "0"))
    raise SystemExit(f"{response.status_code}: {response.content!r}")


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"not so: {what}")


def eventually(read: Callable[[], T], holds: Callable[[T], bool], what: str) -> T:
    """Reads again until it holds. Only for what happens after a command: exports, searches, signed heads."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        answer = read()
        if holds(answer):
            return answer
        time.sleep(0.05)
    raise SystemExit(f"not in {WAIT_SECONDS_MAX} s: {what}")


def a_healthy_server(server: Client) -> None:
    check(expect(healthz.sync(client=server)).status == "ok", "it is alive")
    expect(readyz.sync(client=server))
    check(expect(get_server.sync(client=server)).name != "", "it has a name")


def a_person(server: Client, url: str, name: str) -> AuthenticatedClient:
    """Registers, signs in, and looks at the own session and profile."""
    username = f"{name.lower()}-{uuid4().hex[:12]}"
    user = RegisterUser(email=f"{username}@example.org", username=username, display_name=name, password=PASSWORD)
    registered = expect(register_user.sync(client=server, body=user))
    session = expect(start_session.sync(client=server, body=StartSession(login=username, password=PASSWORD)))
    check(session.user_id == registered.user_id, "the session is the new user's")
    token = session.token
    if not isinstance(token, str):
        raise SystemExit("a session without a cookie has a token")
    client = AuthenticatedClient(base_url=url, token=token)
    sessions = expect(list_sessions.sync(client=client))
    check([shown.session_id for shown in sessions.items if shown.current] == [session.session_id], "one session")
    done(change_custom_status.sync_detailed(client=client, body=ChangeCustomStatus(text="Setting up", emoji="🛠")))
    me = expect(get_me.sync(client=client))
    check(me.username == username, "it is the new user")
    check(
        isinstance(me.custom_status, CustomStatus) and me.custom_status.text == "Setting up",
        "the status is the one just set",
    )
    return client


def a_workspace(ada: AuthenticatedClient) -> UUID:
    created = expect(create_workspace.sync(client=ada, body=CreateWorkspace(name="Analytical Engines")))
    listed = expect(list_workspaces.sync(client=ada))
    check(created.workspace_id in [row.workspace_id for row in listed.items], "the new workspace is listed at once")
    found: UUID = expect(get_workspace.sync(created.workspace_id, client=ada)).workspace_id
    return found


def an_invitation(ada: AuthenticatedClient, ben: AuthenticatedClient, workspace: UUID) -> None:
    address = expect(get_me.sync(client=ben)).email
    invited = expect(invite.sync(workspace, client=ada, body=Invite(email=address, role=Role.MEMBER)))
    open_ones = expect(list_invitations.sync(workspace, client=ada))
    check(invited.invitation_id in [row.invitation_id for row in open_ones.items], "the invitation is listed")
    accepted = expect(accept_invitation.sync(invited.token, client=ben))
    check(accepted.workspace_id == workspace, "it leads to the workspace")
    members = expect(list_members.sync(workspace, client=ben))
    check(len(members.items) == 2, "both are members")


def channels(ada: AuthenticatedClient, ben: AuthenticatedClient, workspace: UUID) -> UUID:
    """A public channel that Ben joins, and a direct conversation."""
    plans = CreateChannel(type_=ChannelType.PUBLIC, name="plans", topic="What we build next")
    channel: UUID = expect(create_channel.sync(workspace, client=ada, body=plans)).channel_id
    changed_at = done(change_topic.sync_detailed(channel, client=ada, body=ChangeTopic(topic="The next engine")))
    check(expect(get_channel.sync(channel, client=ada)).topic == "The next engine", "the topic is the new one")

    # Ben's session did not write this, so he asks for the position of Ada's command.
    seen = expect(get_channel.sync(channel, client=ben, backscroll_min_position=changed_at))
    check(seen.topic == "The next engine", "Ben sees what Ada wrote")
    done(join_channel.sync_detailed(channel, client=ben))
    members = expect(list_channel_members.sync(channel, client=ben))
    check(len(members.items) == 2, "Ben is a member of the channel")

    ben_id = expect(get_me.sync(client=ben)).user_id
    direct = CreateChannel(type_=ChannelType.DM, members=[ben_id])
    conversation = expect(create_channel.sync(workspace, client=ada, body=direct))
    mine = expect(list_channels.sync(workspace, client=ada))
    check({channel, conversation.channel_id} <= {row.channel_id for row in mine.items}, "both are listed")
    return channel


def messages(ada: AuthenticatedClient, ben: AuthenticatedClient, workspace: UUID, channel: UUID) -> UUID:
    """Returns Ben's message, which answers Ada's."""
    ben_id = expect(get_me.sync(client=ben)).user_id
    text = PostMessage(content=f"Shall we build the mill, <@{ben_id}>?")
    key = str(uuid4())
    first = post_message.sync_detailed(channel, client=ada, body=text, idempotency_key=key)
    again = post_message.sync_detailed(channel, client=ada, body=text, idempotency_key=key)
    posted = expect(first.parsed)
    check(expect(again.parsed).message_id == posted.message_id, "the same key posts once")
    check(again.headers["Idempotency-Replayed"] == "true", "the second answer is the first one")

    mentions = expect(list_mentions.sync(workspace, client=ben, backscroll_min_position=done(first)))
    check([row.message_id for row in mentions.items] == [posted.message_id], "Ben is mentioned")
    answer = post_message.sync_detailed(
        channel, client=ben, body=PostMessage(content="Yes", thread_id=posted.message_id)
    )
    reply: UUID = expect(answer.parsed).message_id
    thread = expect(get_thread.sync(posted.message_id, client=ben))
    check([row.message_id for row in thread.replies.items] == [reply], "the answer is in the thread")

    done(react.sync_detailed(posted.message_id, "👍", client=ben))
    reactions = expect(list_reactions.sync(posted.message_id, "👍", client=ben))
    check([row.user_id for row in reactions.items] == [ben_id], "Ben has reacted")
    done(pin_message.sync_detailed(posted.message_id, client=ada))
    pins = expect(list_pins.sync(channel, client=ada))
    check([row.message_id for row in pins.items] == [posted.message_id], "it is pinned")
    done(
        edit_message.sync_detailed(posted.message_id, client=ada, body=EditMessage(content="Shall we build the store?"))
    )
    check(expect(get_message.sync(posted.message_id, client=ada)).content.endswith("store?"), "edited")
    edits = expect(list_edits.sync(posted.message_id, client=ada))
    check([edit.content for edit in edits.items] == [text.content], "the earlier text is kept")
    return reply


def pages(ada: AuthenticatedClient, channel: UUID) -> None:
    """Walks through a channel from the newest page to the oldest, and deletes what it posted for that."""
    posted = [
        expect(post_message.sync(channel, client=ada, body=PostMessage(content=f"Note {n}"))).message_id
        for n in range(5)
    ]
    walked: list[UUID] = []
    page = expect(list_messages.sync(channel, client=ada, limit=2))
    while True:
        walked = [row.message_id for row in page.items] + walked
        if not page.previous:
            break
        page = expect(list_messages.sync(channel, client=ada, limit=2, before=page.previous))
    check(walked[-5:] == posted, "every message once, oldest first")
    for message in posted:
        done(delete_message.sync_detailed(message, client=ada))
    left = expect(list_messages.sync(channel, client=ada))
    check(not {row.message_id for row in left.items} & set(posted), "deleted messages are not listed")


def changes(ada: AuthenticatedClient, ben: AuthenticatedClient, workspace: UUID, channel: UUID) -> None:
    """Everything that a first screen needs, and then what changes."""
    start = expect(get_start.sync(workspace, client=ben))
    check(channel in [row.channel_id for row in start.channels], "the start has the channel")
    posted = post_message.sync_detailed(channel, client=ada, body=PostMessage(content="The mill turns."))
    seen = expect(list_changes.sync(workspace, client=ben, after=start.cursor, backscroll_min_position=done(posted)))
    check(len(seen.items) >= 1 and seen.next_ != start.cursor, "Ben learns of the new message")


def unread(ada: AuthenticatedClient, ben: AuthenticatedClient, workspace: UUID, channel: UUID) -> None:
    noted = post_message.sync_detailed(channel, client=ada, body=PostMessage(content="The drawings are done."))
    message = expect(noted.parsed).message_id
    counts = expect(get_unread.sync(workspace, client=ben, backscroll_min_position=done(noted)))
    check(any(row.channel_id == channel and row.unread > 0 for row in counts.channels), "Ben has unread messages")
    marker = expect(move_read_marker.sync(channel, client=ben, body=MoveReadMarker(message_id=message)))
    check(marker.message_id == message, "the marker is at the newest message")
    counts = expect(get_unread.sync(workspace, client=ben))
    check(all(row.channel_id != channel or row.unread == 0 for row in counts.channels), "he has read everything")


def presence(ada: AuthenticatedClient, ben: AuthenticatedClient, workspace: UUID, channel: UUID) -> None:
    ben_id = expect(get_me.sync(client=ben)).user_id
    here = AnnouncePresence(presence=DevicePresence.ONLINE, device_type="desktop")
    done(announce_presence.sync_detailed(workspace, client=ben, body=here))
    shown = expect(list_presence.sync(workspace, client=ada, users=[ben_id]))
    check([row.presence for row in shown.items] == [Presence.ONLINE], "Ben is online")
    done(announce_typing.sync_detailed(channel, client=ben))
    typing = expect(list_typing.sync(channel, client=ada))
    check([row.user_id for row in typing.items] == [ben_id], "Ben is typing")


def search(ada: AuthenticatedClient, workspace: UUID, reply: UUID) -> None:
    found = eventually(
        lambda: expect(search_messages.sync(workspace, client=ada, q="yes")),
        lambda hits: [hit.message.message_id for hit in hits.items] == [reply],
        "Ben's answer is found",
    )
    check(found.total == 1, "it is found once")
    people = expect(search_people.sync(workspace, client=ada, q="ben"))
    check([person.display_name for person in people.items] == ["Ben"], "Ben is found")


def administration(ada: AuthenticatedClient, workspace: UUID, channel: UUID) -> None:
    done(add_emoji.sync_detailed(workspace, "difference-engine", client=ada))
    emojis = expect(list_emojis.sync(workspace, client=ada))
    check([emoji.name for emoji in emojis.items] == ["difference-engine"], "the workspace has its own emoji")

    counts = expect(count_messages.sync(workspace, client=ada, by=CountMessagesBy.CHANNEL))
    check(sum(row.messages for row in counts.items) >= 2, "messages are counted")

    target = HoldOnChannel(kind=HoldOnChannelKind.CHANNEL, channel_id=channel)
    case = PlaceHold(on=target, reason="Case 2026/114")
    hold = expect(place_hold.sync(workspace, client=ada, body=case)).hold_id
    holds = expect(list_holds.sync(workspace, client=ada))
    check([standing.hold_id for standing in holds.items] == [hold], "the hold stands")
    done(release_hold.sync_detailed(workspace, hold, client=ada, body=ReleaseHold(reason="The case is closed")))
    check(not expect(list_holds.sync(workspace, client=ada)).items, "no hold stands")

    preview = expect(preview_retention.sync(workspace, client=ada))
    check(preview.messages == 0, "no message is old")
    done(start_retention_run.sync_detailed(workspace, client=ada))


def evidence(ada: AuthenticatedClient, workspace: UUID) -> None:
    """The audit, the log, and the proof that the log is the one that it was."""
    audit = expect(read_audit.sync(workspace, client=ada))
    check(len(audit.items) > 10, "the audit has what was done")
    exported = expect(export_audit.sync(workspace, client=ada))
    check(len(exported.splitlines()) > 10, "its export has a line for each")
    log = expect(read_log.sync(workspace, client=ada, limit=1))
    position = log.items[0].position

    check(len(expect(list_proof_keys.sync(client=ada)).items) >= 1, "a key signs the log")
    eventually(
        lambda: prove_inclusion.sync(client=ada, position=position),
        lambda proof: isinstance(proof, InclusionProof) and proof.position == position,
        "the event is in the signed tree",
    )
    check("\n— " in expect(get_checkpoint.sync(client=ada)), "the head of the tree is signed")


def own_data(ada: AuthenticatedClient) -> None:
    asked = expect(export_me.sync(client=ada, body=ConfirmPassword(current_password=PASSWORD)))
    eventually(
        lambda: expect(get_export.sync(asked.export_id, client=ada)),
        lambda export: export.state == "ready",
        "the export is ready",
    )
    password = ConfirmPassword(current_password=PASSWORD)
    packed = expect(download_export.sync(asked.export_id, client=ada, body=password))
    check(packed.payload.read(2) == b"PK", "it is a zip")


def operations(ada: AuthenticatedClient) -> None:
    """The first user of a server is its operator."""
    projections = expect(list_projections.sync(client=ada))
    check("relational" in [projection.name for projection in projections.items], "the read model is listed")


def the_end(ada: AuthenticatedClient) -> None:
    done(end_current_session.sync_detailed(client=ada))
    refused = get_me.sync(client=ada)
    check(isinstance(refused, Problem) and refused.status == 401, "the session has ended")


def main(url: str) -> None:
    server = Client(base_url=url)
    a_healthy_server(server)
    ada, ben = a_person(server, url, "Ada"), a_person(server, url, "Ben")
    workspace = a_workspace(ada)
    an_invitation(ada, ben, workspace)
    channel = channels(ada, ben, workspace)
    reply = messages(ada, ben, workspace, channel)
    pages(ada, channel)
    changes(ada, ben, workspace, channel)
    unread(ada, ben, workspace, channel)
    presence(ada, ben, workspace, channel)
    search(ada, workspace, reply)
    administration(ada, workspace, channel)
    evidence(ada, workspace)
    own_data(ada)
    operations(ada)
    the_end(ada)
    print("done")


if __name__ == "__main__":
    main(sys.argv[1])
