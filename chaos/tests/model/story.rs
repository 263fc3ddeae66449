//! A path through the states, told as what happened.

use std::fmt::Write as _;

use backstitch_core::Op;

use crate::state::{Packet, State};
use crate::table::prefix;
use crate::world::{Action, Says, Will, World};

/// What happened, line by line: each action, and below it what followed.
pub(crate) fn tell(world: &World, path: &[(State, Option<Action>)]) -> String {
    let mut story = String::new();
    for (before, action) in path {
        let Some(action) = action else { continue };
        let after = world.after(before, *action);
        let _ = writeln!(story, "  {}", line(world, before, *action));
        consequences(world, before, &after, &mut story);
        if let Some(law) = after.broken {
            let _ = writeln!(story, "  which breaks: {}", law.sentence());
        }
    }
    story
}

fn call(world: &World, packet: &Packet) -> String {
    let who = if packet.epoch == 0 { "nobody".to_owned() } else { format!("epoch {}", packet.epoch) };
    format!("{} (from {who})", named(world, packet.place, packet.op, packet.attempt))
}

fn named(world: &World, place: u8, op: Op, attempt: u8) -> String {
    let step = world.setup.stage.definition.steps[world.step_of(place)].name;
    let saga = match world.setup.sagas {
        1 => String::new(),
        _ => format!("saga {}: ", world.saga_of(place)),
    };
    let attempt = if attempt == 0 { String::new() } else { format!(" #{attempt}") };
    format!("{saga}{step} {op}{attempt}")
}

fn line(world: &World, before: &State, action: Action) -> String {
    let step = |saga: u8, step: u8| {
        let place = world.place(usize::from(saga), usize::from(step));
        let doing = before.nodes.iter().find_map(|node| {
            use backstitch_core::Activity::{BackingOff, Calling};
            match node.sagas[usize::from(saga)].as_ref()?.known.steps[usize::from(step)].activity {
                Calling { op, attempt } | BackingOff { op, attempt, .. } => Some((op, attempt)),
                backstitch_core::Activity::Idle => None,
            }
        });
        let (op, attempt) = doing.unwrap_or((Op::Do, 0));
        named(world, crate::table::small(place), op, u8::try_from(attempt).unwrap_or(u8::MAX))
    };
    let at = |place: u8| world.setup.stage.definition.steps[world.step_of(place)].name;
    let over = |spent: bool| if spent { ", and its budget is over" } else { "" };
    match action {
        Action::Submit { client, node } => format!("client {client} submits the key to node {node}"),
        Action::Commit { node, saga } => {
            let record = before.nodes[usize::from(node)].sagas[usize::from(saga)].as_ref().and_then(|own| {
                prefix(&own.journal, own.durable + 1).map(|journal| journal.entry.record.kind())
            });
            format!("node {node} commits `{}`", record.unwrap_or("nothing"))
        }
        Action::Deliver { packet, will } => {
            let how = match will {
                Will::Willing => "",
                Will::Refuses => ", which the business refuses",
                Will::IsBusy => ", which meets a busy participant",
                Will::Dies => ", whose participant dies before it answers",
            };
            format!("{} arrives{how}", call(world, &packet))
        }
        Action::Duplicate { packet } => {
            format!("{} arrives, and a copy stays on its way", call(world, &packet))
        }
        Action::Forge { place } => format!("another request under the key of {} arrives", at(place)),
        Action::Reach { place, says: Says::Yes } => format!("the provider of {} is asked", at(place)),
        Action::Reach { place, says: Says::No } => format!("the provider of {} refuses", at(place)),
        Action::Reach { place, says: Says::Wait } => {
            format!("the provider of {} waits for the customer", at(place))
        }
        Action::Finish { place } => format!("the customer does what {} waits for", at(place)),
        Action::Available { node, step, .. } => {
            let participant = world.setup.stage.definition.steps[usize::from(step)].participant;
            format!("{participant} answers again, and node {node} hears of it")
        }
        Action::Poison { node, .. } => format!("running the saga panics at node {node}"),
        Action::Wake { node, .. } => format!("node {node} is woken up"),
        Action::Record { place } => {
            format!("the participant of {} records what its provider said", at(place))
        }
        Action::Tick { place } => format!("the participant of {} takes up its open row", at(place)),
        Action::Die { place } => format!("the participant of {} dies at its provider", at(place)),
        Action::Arrive { place } => {
            format!("what the dead participant of {} asked reaches the provider", at(place))
        }
        Action::Hear { reply, spent } => format!(
            "epoch {} hears that {} is {:?}{}",
            reply.epoch,
            named(world, reply.place, reply.op, reply.attempt),
            reply.answer,
            over(spent)
        ),
        Action::Garble { reply } => format!(
            "epoch {} hears nonsense about {}",
            reply.epoch,
            named(world, reply.place, reply.op, reply.attempt)
        ),
        Action::Timeout { node, saga, step: at, spent } => {
            format!("node {node} waits no longer for {}{}", step(saga, at), over(spent))
        }
        Action::Retry { node, saga, step: at } => format!("node {node} calls again: {}", step(saga, at)),
        Action::Cancel { node, .. } => format!("somebody cancels at node {node}"),
        Action::Deadline { node, .. } => format!("the deadline passes at node {node}"),
        Action::Resume { node, .. } => format!("a person resumes at node {node}"),
        Action::Crash { node } => format!("node {node} crashes and is back"),
        Action::Steal { node } => format!("node {node} takes the lease of the other, which does not notice"),
        Action::Read { node } => format!("node {node} reads the journals"),
        Action::Publish => "the relay publishes the next row".into(),
        Action::Mark => "the relay marks it".into(),
        Action::RelayCrash => "the relay crashes".into(),
        Action::WriteEvents { node } => format!("node {node} writes the events that it left out"),
        Action::MakeGood { node, .. } => format!("a person has it made good at node {node}"),
        Action::StartReturn { node, .. } => format!("node {node} starts a return"),
        Action::GiveBack { place } => format!("the return gives back {}", at(place)),
        Action::TakeReturnBack { .. } => "the return is refused and taken back".into(),
        Action::TellReturned { node, .. } => format!("node {node} tells the saga how its return ended"),
    }
}

fn consequences(world: &World, before: &State, after: &State, story: &mut String) {
    for (node, (old, new)) in before.nodes.iter().zip(&after.nodes).enumerate() {
        for (was, is) in old.sagas.iter().zip(&new.sagas) {
            let Some(is) = is else { continue };
            let from =
                was.as_ref().filter(|_| old.epoch == new.epoch).map_or(is.durable, |own| own.journal.len);
            for len in from + 1..=is.journal.len {
                if let Some(journal) = prefix(&is.journal, len) {
                    let _ = writeln!(story, "      node {node} decides `{}`", journal.entry.record.kind());
                }
            }
        }
    }
    for packet in after.packets.iter().filter(|packet| packet.epoch > 0 && !before.packets.contains(packet)) {
        let _ = writeln!(story, "      {} is sent", call(world, packet));
    }
    for (at, (was, is)) in before.places.iter().zip(&after.places).enumerate() {
        let name = world.setup.stage.definition.steps[at % world.setup.stage.len()].name;
        if was.row != is.row {
            let _ = writeln!(story, "      the row of {name} is {:?}", is.row);
        }
        if was.effects != is.effects {
            let _ = writeln!(story, "      {name} takes effect");
        }
        if was.taken_back != is.taken_back {
            let _ = writeln!(story, "      {name} is taken back");
        }
    }
}
