//! An orchestrator's saga: events in, records to the writer, calls out when their record is durable.

use backstitch_core::{Activity, Op};

use super::{Scene, orphan};
use crate::laws::Law;
use crate::mutants::Mutant;
use crate::state::{Own, Packet, Reply, Row, Seeing, put, take};
use crate::table::{Answer, Heard, Known, small};

impl Scene<'_> {
    /// A saga begins here; its first record is handed to the writer.
    pub(super) fn begin(&mut self, node: usize, saga: usize) {
        let (known, journal) = self.world.table.begin(saga);
        let own = Own { known, journal, durable: 0, queue: Vec::new(), seeing: Seeing::Nothing };
        self.state.nodes[node].sagas[saga] = Some(own);
        self.hear(node, saga, Heard::Own { recovered: false });
    }

    /// Gives the table an event and does what it asks for.
    pub(super) fn hear(&mut self, node: usize, saga: usize, heard: Heard) {
        let table = &self.world.table;
        let Some(own) = self.state.nodes[node].sagas[saga].as_mut() else { return };
        let turned = table.turn(&own.known, heard);
        own.known = turned.after.clone();
        own.queue.extend(&turned.calls);
        own.seeing = self.world.seeing(own, heard);
        // About to be sent counts: the table does not know whether it was.
        for asked in turned.calls.iter().filter(|asked| asked.op == Op::Do) {
            let place = self.world.place(saga, usize::from(asked.step));
            self.state.places[place].asked = true;
        }
        let mut folds = true;
        let mut unwritten = Vec::new();
        for entry in &turned.records {
            match table.append(saga, Some(&own.journal), entry) {
                Some(journal) => own.journal = journal,
                None => folds = false,
            }
            if own.journal.publishes && self.world.is(Mutant::PublishesBeforeTheCommit) {
                unwritten.push(Row { saga: small(saga), seq: own.journal.len });
            }
        }
        if self.world.is(Mutant::AcksBeforeItsCommit) {
            own.durable = own.journal.len;
        }
        let idle = own.known.steps.iter().all(|step| step.activity == Activity::Idle);
        let silent = idle && own.known.end.is_none() && !own.known.is_parked();
        let legal = turned.illegal.is_none() || heard == Heard::Cancel;
        self.state.store.outbox.extend(unwritten);
        self.hold(Law::JournalFolds, folds);
        self.hold(Law::EventsLegal, legal);
        self.hold(Law::NeverSilent, !silent);
        self.flush(node, saga);
    }

    /// Sends what waits for nothing any more, unless the saga has moved on.
    pub(super) fn flush(&mut self, node: usize, saga: usize) {
        let Some(own) = self.state.nodes[node].sagas[saga].as_mut() else { return };
        let durable = own.durable;
        let careless = self.world.is(Mutant::SendsWhatIsNoLongerWanted);
        let (mut sent, mut kept) = (Vec::new(), Vec::new());
        for asked in own.queue.drain(..) {
            let current = Activity::Calling { op: asked.op, attempt: u32::from(asked.attempt) };
            let wanted = own.known.steps[usize::from(asked.step)].activity == current;
            match wanted || careless {
                true if self.world.waits_for(&asked) <= durable => sent.push(asked),
                true => kept.push(asked),
                false => {}
            }
        }
        own.queue = kept;
        let epoch = self.state.nodes[node].epoch;
        for asked in sent {
            self.check_sent(node, saga, &asked);
            let place = self.world.place(saga, usize::from(asked.step));
            let packet = Packet {
                place: small(place),
                op: asked.op,
                request: asked.request,
                epoch,
                attempt: asked.attempt,
            };
            put(&mut self.state.packets, packet);
        }
    }

    fn activity(&self, node: usize, saga: usize, step: usize) -> Option<(Op, u8)> {
        match self.own(node, saga)?.known.steps[step].activity {
            Activity::Idle => None,
            Activity::Calling { op, attempt } | Activity::BackingOff { op, attempt, .. } => {
                Some((op, small(attempt as usize)))
            }
        }
    }

    pub(super) fn timeout(&mut self, node: u8, saga: u8, step: u8, spent: bool) {
        let (at, of) = (usize::from(node), usize::from(saga));
        let Some((op, attempt)) = self.activity(at, of, usize::from(step)) else { return };
        let place = small(self.world.place(of, usize::from(step)));
        let epoch = self.state.nodes[at].epoch;
        let on_its_way = self
            .state
            .packets
            .iter()
            .any(|p| (p.place, p.epoch, p.op, p.attempt) == (place, epoch, op, attempt))
            || self
                .state
                .replies
                .iter()
                .any(|r| (r.place, r.epoch, r.op, r.attempt) == (place, epoch, op, attempt))
            || self.state.places[usize::from(place)]
                .task
                .is_some_and(|t| (t.packet.epoch, t.packet.op, t.packet.attempt) == (epoch, op, attempt));
        if on_its_way {
            self.state.faults.trouble -= 1;
        }
        self.hear(at, of, Heard::Reply { step, op, attempt, answer: Answer::Unknown, spent });
    }

    pub(super) fn retry(&mut self, node: u8, saga: u8, step: u8) {
        let (at, of) = (usize::from(node), usize::from(saga));
        let Some((op, attempt)) = self.activity(at, of, usize::from(step)) else { return };
        self.hear(at, of, Heard::Retry { step, op, attempt });
    }

    pub(super) fn answered(&mut self, reply: Reply, spent: bool) {
        take(&mut self.state.replies, &reply);
        self.tell(reply, spent);
    }

    pub(super) fn garbled(&mut self, reply: Reply) {
        self.state.faults.trouble -= 1;
        take(&mut self.state.replies, &reply);
        self.tell(Reply { answer: Answer::Broken, ..reply }, false);
    }

    /// An answer reaches whoever asked, if that one still owns the saga or believes so.
    pub(super) fn tell(&mut self, reply: Reply, spent: bool) {
        let Reply { epoch, place, op, attempt, answer } = reply;
        let Some(node) = self.state.nodes.iter().position(|node| node.epoch == epoch) else { return };
        let (saga, step) = (self.world.saga_of(place), small(self.world.step_of(place)));
        // Superseded: the sender checks its lease, and drops everything if that is lost.
        if answer == Answer::Superseded && epoch < self.state.store.epoch {
            return self.drop_all(node);
        }
        self.hear(node, saga, Heard::Reply { step, op, attempt, answer, spent });
    }

    pub(super) fn cancel(&mut self, node: u8, saga: u8) {
        self.state.faults.trouble -= 1;
        self.hear(usize::from(node), usize::from(saga), Heard::Cancel);
    }

    pub(super) fn deadline(&mut self, node: u8, saga: u8) {
        self.state.faults.trouble -= 1;
        self.hear(usize::from(node), usize::from(saga), Heard::Deadline);
    }

    pub(super) fn resume(&mut self, node: u8, saga: u8) {
        self.state.faults.resumes -= 1;
        self.hear(usize::from(node), usize::from(saga), Heard::Resume);
    }

    pub(super) fn available(&mut self, node: u8, saga: u8, step: u8) {
        self.state.faults.resumes -= 1;
        self.hear(usize::from(node), usize::from(saga), Heard::Available { step });
    }

    pub(super) fn poison(&mut self, node: u8, saga: u8) {
        self.state.faults.trouble -= 1;
        self.hear(usize::from(node), usize::from(saga), Heard::Poison);
    }

    /// It owns nothing any more; nobody waits for its calls.
    pub(super) fn drop_all(&mut self, node: usize) {
        let epoch = self.state.nodes[node].epoch;
        for saga in 0..self.world.setup.sagas {
            self.drop_saga(node, saga);
        }
        self.state.replies.retain(|reply| reply.epoch != epoch);
        let node = &mut self.state.nodes[node];
        (node.epoch, node.reading) = (0, false);
        node.unwritten.clear();
    }

    /// It knows nothing of this saga any more.
    pub(super) fn drop_saga(&mut self, node: usize, saga: usize) {
        let (world, epoch) = (self.world, self.state.nodes[node].epoch);
        self.state.nodes[node].sagas[saga] = None;
        let of = |place: u8| world.saga_of(place) == saga;
        self.state.replies.retain(|reply| reply.epoch != epoch || !of(reply.place));
        for packet in &mut self.state.packets {
            if packet.epoch == epoch && of(packet.place) {
                *packet = orphan(*packet);
            }
        }
        self.state.packets.sort_unstable();
        self.merge_orphans();
        for place in &mut self.state.places {
            if let Some(task) = place.task.as_mut()
                && task.packet.epoch == epoch
                && of(task.packet.place)
            {
                task.packet = orphan(task.packet);
            }
        }
    }

    /// One stale copy of a call is as good as two.
    pub(super) fn merge_orphans(&mut self) {
        self.state.packets.dedup_by(|a, b| a.epoch == 0 && a == b);
    }

    /// It has the saga's journal and goes on from there.
    pub(super) fn recover(&mut self, node: usize, saga: usize, journal: crate::table::Journal) {
        let known: Known = journal.facts.clone();
        if known.end.is_some() {
            return;
        }
        let durable = journal.len;
        self.state.nodes[node].sagas[saga] =
            Some(Own { known, journal, durable, queue: Vec::new(), seeing: Seeing::Nothing });
        let recovered = !self.world.is(Mutant::RecoveryForgetsFormerOwners);
        self.hear(node, saga, Heard::Own { recovered });
    }
}
