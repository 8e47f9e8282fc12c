//! A history of each aggregate that has snapshots: all its events, with every field filled in. Every struct is written
//! in full, so that a new field does not compile until it has a value here.

use std::collections::BTreeMap;

use domain::audit::{Export, ExportFormat, Question, Reading};
use domain::channel::{ChannelSettings, Creation, Kind, MemberRole, NotificationLevel};
use domain::ids::{ChannelId, HoldId, InvitationId, MessageId, UserId, WorkspaceId};
use domain::installation::{KeyChange, ReplayEnd, ReplayOutcome, ReplayScope, ReplayStart, SkippedEvent};
use domain::permission::{Permission, Role};
use domain::retention::{Application, RetentionAction, RetentionPolicy};
use domain::text::{
    AvatarUrl, ChannelDisplayName, ChannelName, Department, Description, Email, EmojiName, Purpose, Reason, Title, Topic, WorkspaceDomain,
    WorkspaceName,
};
use domain::workspace::{Details, HoldTarget, Plan, WorkspaceSettings};
use domain::{AuditEvent, ChannelEvent, InstallationEvent, RetentionEvent, WorkspaceEvent};
use uuid::Uuid;

const ANN: UserId = UserId(Uuid::from_u128(0xa));
const BOB: UserId = UserId(Uuid::from_u128(0xb));
const ACME: WorkspaceId = WorkspaceId(Uuid::from_u128(0x100));
const GENERAL: ChannelId = ChannelId(Uuid::from_u128(0x200));

fn policy(days: u32) -> RetentionPolicy {
    RetentionPolicy { days: Some(days), action: RetentionAction::Purge, keep_pinned: false }
}

pub fn workspace() -> Vec<WorkspaceEvent> {
    let details = |name| Details {
        name: WorkspaceName::parse(name).expect("a name"),
        description: Description::parse("Where we work.").ok(),
        avatar_url: AvatarUrl::parse("https://example.org/acme.png").ok(),
    };
    let settings =
        WorkspaceSettings { retention_policy: Some(policy(365)), upload_max_bytes: Some(104_857_600), edit_window_minutes: Some(60) };
    let mut history = vec![
        WorkspaceEvent::Created {
            details: details("Acme"),
            domain: WorkspaceDomain::parse("acme.example.org").ok(),
            general_channel_id: GENERAL,
            max_members: 1_000,
        },
        WorkspaceEvent::MemberJoined { user_id: ANN, role: Role::Owner, invitation_id: None, invited_by: None },
        WorkspaceEvent::DetailsChanged(details("Acme Ltd")),
        WorkspaceEvent::SettingsChanged(settings),
        WorkspaceEvent::PlanChanged { plan: Plan::Pro },
    ];
    history.extend(members());
    history.extend(holds());
    history.extend(emojis());
    history.push(WorkspaceEvent::DomainChanged { domain: WorkspaceDomain::parse("acme.example.com").ok() });
    history
}

fn members() -> Vec<WorkspaceEvent> {
    let invited = |number, role| WorkspaceEvent::MemberInvited {
        invitation_id: InvitationId(Uuid::from_u128(number)),
        email: Email::parse("bob@example.org").expect("an address"),
        role,
        invited_by: ANN,
        expires_at: "2026-11-29T12:00:00Z".parse().expect("a time"),
    };
    let permissions = BTreeMap::from([(Permission::MemberInvite, true), (Permission::MessagePin, false)]);
    let accepted = Some(InvitationId(Uuid::from_u128(0x301)));
    vec![
        invited(0x301, Role::Guest),
        invited(0x302, Role::Member),
        WorkspaceEvent::MemberJoined { user_id: BOB, role: Role::Guest, invitation_id: accepted, invited_by: Some(ANN) },
        WorkspaceEvent::InvitationRevoked { invitation_id: InvitationId(Uuid::from_u128(0x302)) },
        WorkspaceEvent::MemberRoleChanged { user_id: BOB, role: Role::Admin },
        WorkspaceEvent::MemberDetailsChanged {
            user_id: BOB,
            title: Title::parse("Baker").ok(),
            department: Department::parse("Kitchen").ok(),
        },
        WorkspaceEvent::MemberPermissionsChanged { user_id: BOB, permissions },
        WorkspaceEvent::MemberDeactivated { user_id: BOB },
        WorkspaceEvent::MemberReactivated { user_id: BOB },
        WorkspaceEvent::HandedOver { from: ANN, to: BOB },
    ]
}

fn holds() -> Vec<WorkspaceEvent> {
    let hold_id = |number| HoldId(Uuid::from_u128(number));
    let reason = || Reason::parse("Case 2026/114").expect("a reason");
    let placed = |number, on| WorkspaceEvent::HoldPlaced { hold_id: hold_id(number), on, reason: reason(), placed_by: BOB };
    vec![
        placed(0x401, HoldTarget::Workspace {}),
        placed(0x402, HoldTarget::Channel { channel_id: GENERAL }),
        placed(0x403, HoldTarget::Person { user_id: ANN }),
        WorkspaceEvent::HoldReleased { hold_id: hold_id(0x401), reason: reason(), released_by: BOB },
    ]
}

fn emojis() -> Vec<WorkspaceEvent> {
    let name = |text: &str| EmojiName::parse(text).expect("a name");
    vec![
        WorkspaceEvent::EmojiAdded { name: name("party_parrot"), added_by: BOB },
        WorkspaceEvent::EmojiAdded { name: name("sourdough"), added_by: BOB },
        WorkspaceEvent::EmojiRemoved { name: name("party_parrot"), removed_by: ANN },
    ]
}

pub fn channel() -> Vec<ChannelEvent> {
    let creation = Creation {
        workspace_id: ACME,
        kind: Kind::Public,
        name: ChannelName::parse("general").ok(),
        display_name: ChannelDisplayName::parse("General").ok(),
        description: Description::parse("For everyone.").ok(),
        topic: Topic::parse("Tea at four").ok(),
        purpose: Purpose::parse("Everything that concerns everyone.").ok(),
        is_general: true,
        created_by: ANN,
    };
    let settings = ChannelSettings {
        allow_threads: false,
        allow_file_upload: false,
        allow_external_sharing: true,
        retention_policy: Some(policy(30)),
    };
    let joined = |role, invited_by| ChannelEvent::MemberJoined { user_id: BOB, role, invited_by };
    vec![
        ChannelEvent::Created(Box::new(creation)),
        ChannelEvent::MemberJoined { user_id: ANN, role: MemberRole::Admin, invited_by: None },
        ChannelEvent::Renamed {
            name: ChannelName::parse("everyone").expect("a name"),
            display_name: ChannelDisplayName::parse("Everyone").ok(),
        },
        ChannelEvent::TopicChanged { topic: Topic::parse("Tea at five").ok() },
        ChannelEvent::PurposeChanged { purpose: Purpose::parse("News").ok() },
        ChannelEvent::DescriptionChanged { description: Description::parse("For all of us.").ok() },
        ChannelEvent::SettingsChanged(settings),
        joined(MemberRole::Member, Some(ANN)),
        ChannelEvent::MemberRoleChanged { user_id: BOB, role: MemberRole::Admin },
        ChannelEvent::NotificationLevelChanged { user_id: BOB, level: NotificationLevel::Mentions },
        ChannelEvent::MemberLeft { user_id: BOB },
        joined(MemberRole::Member, None),
        ChannelEvent::NotificationLevelChanged { user_id: BOB, level: NotificationLevel::None },
        ChannelEvent::MemberRemoved { user_id: BOB, removed_by: ANN },
        ChannelEvent::Archived { by: ANN },
        ChannelEvent::Unarchived { by: ANN },
    ]
}

pub fn retention() -> Vec<RetentionEvent> {
    let applied = |action, messages: &[u128]| {
        RetentionEvent::Applied(Box::new(Application {
            channel_id: GENERAL,
            action,
            cut_off: "2025-11-25T02:00:00Z".parse().expect("a time"),
            days: 365,
            keep_pinned: true,
            messages: messages.iter().map(|number| MessageId(Uuid::from_u128(*number))).collect(),
        }))
    };
    vec![applied(RetentionAction::Archive, &[0x501, 0x502]), applied(RetentionAction::Purge, &[0x502, 0x503])]
}

pub fn installation() -> Vec<InstallationEvent> {
    let replay_id = Uuid::from_u128(0x600);
    let projection = || "relational".to_owned();
    let differences = vec!["messages has 1200 rows in both, not all alike".to_owned()];
    vec![
        InstallationEvent::ReplayStarted(Box::new(ReplayStart {
            replay_id,
            projection: projection(),
            scope: ReplayScope::Workspace(ACME),
            dry_run: true,
            accepts_differences: true,
        })),
        InstallationEvent::ReplaySwitchedWithDifferences {
            replay_id,
            projection: projection(),
            position: Some(4_711),
            differences: differences.clone(),
        },
        InstallationEvent::ReplayEnded(Box::new(ReplayEnd {
            replay_id,
            projection: projection(),
            outcome: ReplayOutcome::Differs,
            position: Some(4_711),
            rows: Some(12_345),
            differences,
            error: Some("the new model differs from the live one".into()),
        })),
        InstallationEvent::EventSkipped(SkippedEvent {
            projection: projection(),
            position: 4_711,
            reason: Reason::parse("its text is of no use to anybody").expect("a reason"),
        }),
        InstallationEvent::EventRetried { projection: projection(), park_key: "workspace:1".into(), position: 4_712, events: 12 },
        InstallationEvent::ProofKeyRotated {
            vkey: "chat.example.org/v1/proof+64d05d6a+AQzF6wv2xaJYv6cXmM2zC5Zr0lTJz0kQm8qg0uYlUe2n".into(),
            change: KeyChange::Rotation,
        },
        InstallationEvent::ClientIdsRemoved { keys: 1204 },
    ]
}

pub fn audit() -> Vec<AuditEvent> {
    let filter = || BTreeMap::from([("type".to_owned(), "channel.archived".to_owned())]);
    vec![
        AuditEvent::Read(Reading { question: Question::Entries, filter: filter() }),
        AuditEvent::Exported(Export { export_id: Uuid::from_u128(0x700), format: ExportFormat::Jsonl, filter: filter(), up_to: 4_711 }),
    ]
}
