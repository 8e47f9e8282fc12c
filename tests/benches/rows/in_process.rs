//! The cost of a post in this process, measured by criterion. The reference of each step is to parse the same bytes as
//! a `serde_json::Value`, or to write such a value.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use cqrs_es::Aggregate;
use criterion::Criterion;
use domain::formatting::FormattedContent;
use domain::message::{NewMessage, RelatedAggregates};
use domain::personal::NoKeys;
use domain::wire_event::Row;
use domain::{Channel, Context, Event, Message, MessageCommand, Workspace};
use serde_json::Value;
use tests::servers::checkout;
use uuid::Uuid;

use crate::furnish::{Furnished, context, new_message, text};
use crate::report::{Goal, Report};
use crate::runs::{Runs, runs};

const MEMBERS: usize = 10_000;

pub async fn measure(report: &mut Report) {
    report.over(format!(
        "one message of {} characters, in a channel of {MEMBERS} members; once per call, the median of criterion",
        text(1).len()
    ));
    let furnished = Furnished::of(MEMBERS);
    let author = furnished.users[1];
    let event = furnished.posted(1, Utc::now());
    let payload = serde_json::to_string(&event).expect("JSON");
    let metadata = serde_json::to_string(&context(author).metadata("post message")).expect("JSON");
    let value = serde_json::from_str::<Value>(&payload).expect("JSON");
    let id = Uuid::now_v7();
    let stream_id = id.to_string();
    let row = Row {
        position: 1,
        event_id: id,
        aggregate_type: "message",
        aggregate_id: &stream_id,
        sequence: 1,
        workspace_id: Some(furnished.workspace_id.0),
        recorded_at: Utc::now(),
        event_type: "message.posted",
        event_version: "1",
        payload: &payload,
        metadata: &metadata,
    };
    let linking = text(4);
    let said = serde_json::to_string(&linking).expect("JSON");
    let (related, asks, new) = (related_aggregates(&furnished), context(author), new_message(1));
    let parse = || drop(black_box(serde_json::from_str::<Value>(black_box(&payload)).expect("JSON")));
    let parse_both = || {
        drop(black_box(serde_json::from_str::<Value>(black_box(&metadata)).expect("JSON")));
        parse();
    };
    let parse_text = || drop(black_box(serde_json::from_str::<Value>(black_box(&said)).expect("JSON")));
    let write = || drop(black_box(serde_json::to_string(black_box(&value)).expect("JSON")));
    tokio::task::block_in_place(|| {
        compare(report, "decide a post", &|| decide(&related, &asks, &new), ("Value of its event", &parse));
        compare(
            report,
            "decode a row of the log",
            &|| drop(black_box(black_box(&row).decode(&NoKeys).expect("an event"))),
            ("Value of its JSON", &parse_both),
        );
        let encode = || drop(black_box(serde_json::to_string(black_box(&event)).expect("JSON")));
        compare(report, "encode an event", &encode, ("the same Value written", &write));
        let refers = || drop(black_box(FormattedContent::of(black_box(&linking))));
        compare(report, "find what a text refers to", &refers, ("Value of the text", &parse_text));
    });
}

/// The channel and its workspace, folded.
fn related_aggregates(furnished: &Furnished) -> RelatedAggregates {
    let (mut workspace, mut channel) = (Workspace::default(), Channel::default());
    for event in furnished.workspace_events().into_iter().chain(furnished.channel_events()) {
        match event {
            Event::Workspace(event) => workspace.apply(event),
            Event::Channel(event) => channel.apply(event),
            Event::User(_) | Event::Message(_) | Event::Retention(_) | Event::Session(_) | Event::Audit(_) | Event::Installation(_) => {}
        }
    }
    RelatedAggregates {
        workspace: Arc::new(workspace),
        channel: Arc::new(channel),
        channel_id: Some(furnished.channel_id),
        ..RelatedAggregates::default()
    }
}

fn decide(related: &RelatedAggregates, asks: &Context, new: &NewMessage) {
    let command = MessageCommand::Post(Box::new(new.clone()));
    drop(black_box(Message::default().decide(black_box(related), asks, command).expect("a post")));
}

fn compare(report: &mut Report, name: &str, subject: &dyn Fn(), reference: (&str, &dyn Fn())) {
    let (mut ours, mut theirs) = (Runs::default(), Runs::default());
    for _ in 0..runs() {
        ours.push(nanoseconds("subject", subject));
        theirs.push(nanoseconds("reference", reference.1));
    }
    report.compare(format!("in-process, {name}"), "ns", &ours, (reference.0, &theirs), Goal::Stated);
}

/// The duration of a call in nanoseconds: criterion's median.
fn nanoseconds(name: &str, call: &dyn Fn()) -> f64 {
    let folder = checkout().join("target/bench-criterion");
    let criterion = Criterion::default().without_plots().output_directory(&folder).sample_size(20).nresamples(1_001);
    let mut criterion = criterion.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    criterion.bench_function(name, |bencher| bencher.iter(call));
    let estimates = std::fs::read_to_string(folder.join(name).join("new/estimates.json")).expect("criterion's estimates");
    let estimates = serde_json::from_str::<Value>(&estimates).expect("JSON");
    estimates["median"]["point_estimate"].as_f64().expect("a median")
}
