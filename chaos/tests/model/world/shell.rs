//! The writer and the store behind it, leases, admission, and the relay.

use super::Scene;
use crate::laws::Law;
use crate::mutants::Mutant;
use crate::state::{Row, Told};
use crate::table::{Answer, prefix, small};

impl Scene<'_> {
    /// Somebody submits the idempotency key: it is looked up first.
    pub(super) fn submit(&mut self, client: u8, node: u8) {
        let at = usize::from(client);
        let told = match self.state.store.key {
            Some(saga) if self.same_body(client, saga) => Told::Accepted(saga),
            Some(saga) if self.world.is(Mutant::KeyIsNotBoundToItsBody) => Told::Accepted(saga),
            Some(_) => Told::OtherBody,
            None => {
                self.begin(usize::from(node), at);
                if self.world.is(Mutant::AcceptsBeforeStartedIsDurable) {
                    Told::Accepted(client)
                } else {
                    Told::Waits
                }
            }
        };
        self.state.clients[at].told = told;
    }

    fn same_body(&self, client: u8, saga: u8) -> bool {
        let body = |client: u8| self.state.clients[usize::from(client)].body;
        body(client) == body(saga)
    }

    /// The writer's next commit: one record and its events, under the epoch.
    pub(super) fn commit(&mut self, node: u8, saga: u8) {
        let (at, of) = (usize::from(node), usize::from(saga));
        let epoch = self.state.nodes[at].epoch;
        let fenced = epoch < self.state.store.epoch;
        if fenced && !self.world.is(Mutant::NoEpochCheck) {
            return self.lose(at);
        }
        let Some(own) = self.own(at, of) else { return };
        let seq = own.durable + 1;
        let own_journal = own.journal.clone();
        let Some(chapter) = prefix(&own_journal, seq) else { return };
        let stored = self.state.store.journals[of].as_ref();
        let follows = stored.map_or(0, |journal| journal.len) + 1 == seq;
        // Its natural key is taken: somebody else wrote this record's number.
        if !follows {
            return self.lose(at);
        }
        let taken = self.state.store.key.is_some_and(|winner| winner != saga);
        if seq == 1 && !self.state.clients.is_empty() {
            if taken && !self.world.is(Mutant::KeyIsCheckedOutsideTheCommit) {
                // Whoever waits for it looks the key up again.
                self.drop_saga(at, of);
                self.state.clients[of].told = Told::Nothing;
                return;
            }
            self.state.store.key.get_or_insert(saga);
            self.state.clients[of].told = Told::Accepted(saga);
        }
        self.hold(Law::NoLowerEpoch, !fenced);
        let mut entry = chapter.entry.clone();
        if self.world.is(Mutant::WriterOvertakes)
            && let Some(later) = prefix(&own_journal, seq + 1)
        {
            entry = later.entry.clone();
        }
        let earlier = self.state.store.journals[of].clone();
        let Some(journal) = self.world.table.append(of, earlier.as_ref(), &entry) else {
            return self.hold(Law::JournalFolds, false);
        };
        let row = Row { saga, seq };
        if journal.publishes && self.world.setup.relay && !self.world.is(Mutant::PublishesBeforeTheCommit) {
            match self.world.is(Mutant::EventsRideBesideTheCommit) {
                true => self.state.nodes[at].unwritten.push(row),
                false => self.state.store.outbox.push(row),
            }
        }
        let ended = journal.facts.end.is_some();
        self.state.store.journals[of] = Some(journal);
        if let Some(own) = self.state.nodes[at].sagas[of].as_mut() {
            own.durable = seq;
        }
        self.flush(at, of);
        if ended {
            self.drop_saga(at, of);
        }
    }

    /// What a mutant left out of the commit.
    pub(super) fn write_events(&mut self, node: u8) {
        let rows = std::mem::take(&mut self.state.nodes[usize::from(node)].unwritten);
        self.state.store.outbox.extend(rows);
    }

    /// The store told it that it owns nothing any more.
    pub(super) fn lose(&mut self, node: usize) {
        self.drop_all(node);
        self.forget_waiting();
    }

    /// Whoever waited for a saga that nobody has any more asks again.
    fn forget_waiting(&mut self) {
        for saga in 0..self.state.clients.len() {
            let is_there = self.state.store.journals[saga].is_some()
                || self.state.nodes.iter().any(|node| node.sagas[saga].is_some());
            if self.state.clients[saga].told == Told::Waits && !is_there {
                self.state.clients[saga].told = Told::Nothing;
            }
        }
    }

    /// It dies, loses what is not durable, and is back.
    pub(super) fn crash(&mut self, node: u8) {
        let at = usize::from(node);
        self.state.faults.crashes -= 1;
        let owned = self.state.nodes[at].epoch == self.state.store.epoch;
        self.drop_all(at);
        self.forget_waiting();
        if owned {
            self.state.store.epoch += 1;
            self.state.nodes[at].epoch = self.state.store.epoch;
            self.recover_all(at);
        }
    }

    /// The lease of whoever has it is taken; that one does not notice.
    pub(super) fn steal(&mut self, node: u8) {
        let at = usize::from(node);
        self.state.faults.thefts -= 1;
        self.state.nodes[at].reading = true;
        if self.world.is(Mutant::ReadsBeforeItsEpochIsCommitted) {
            // Read now, raised later.
            self.state.nodes[at].epoch = self.state.store.epoch + 1;
            return self.recover_all(at);
        }
        self.state.store.epoch += 1;
        self.state.nodes[at].epoch = self.state.store.epoch;
    }

    pub(super) fn read(&mut self, node: u8) {
        let at = usize::from(node);
        self.state.nodes[at].reading = false;
        if self.world.is(Mutant::ReadsBeforeItsEpochIsCommitted) {
            self.state.store.epoch = self.state.nodes[at].epoch;
            return;
        }
        self.recover_all(at);
    }

    fn recover_all(&mut self, node: usize) {
        for saga in 0..self.world.setup.sagas {
            if let Some(journal) = self.state.store.journals[saga].clone() {
                self.recover(node, saga, journal);
            }
        }
    }

    /// The relay publishes the row after the watermark.
    pub(super) fn publish(&mut self) {
        let next = self.state.store.marked + 1;
        self.state.relay.to_mark = next;
        if self.world.is(Mutant::MarksBeforeItPublishes) {
            self.state.store.marked = next;
        } else {
            self.appear(next);
        }
    }

    pub(super) fn mark(&mut self) {
        let row = std::mem::take(&mut self.state.relay.to_mark);
        if self.world.is(Mutant::MarksBeforeItPublishes) {
            self.appear(row);
        } else {
            self.state.store.marked = row;
        }
    }

    pub(super) fn relay_crash(&mut self) {
        self.state.faults.relay_crashes -= 1;
        self.state.relay.to_mark = 0;
    }

    /// An event is seen; the first time counts.
    fn appear(&mut self, row: u8) {
        let row = match self.world.is(Mutant::RelayPassesAGap)
            && usize::from(row) < self.state.store.outbox.len()
        {
            true => row + 1,
            false => row,
        };
        let Some(event) = self.state.store.outbox.get(usize::from(row) - 1).copied() else { return };
        let earlier = (1u16 << (row - 1)) - 1;
        let (in_order, bit) = (self.state.relay.appeared & earlier == earlier, 1u16 << (row - 1));
        let durable =
            self.state.store.journals[usize::from(event.saga)].as_ref().map_or(0, |journal| journal.len);
        self.hold(Law::EventsInOrder, in_order);
        self.hold(Law::EventsOfCommits, event.seq <= durable);
        self.state.relay.appeared |= bit;
    }

    /// An answer leaves a participant: to whoever waits for it.
    pub(super) fn reply(&mut self, packet: crate::state::Packet, answer: Answer) {
        let place = usize::from(packet.place);
        use backstitch_core::Op;
        let promise = matches!((packet.op, answer), (Op::Undo, Answer::Done(_)) | (_, Answer::Refused));
        self.state.places[place].promised |= promise;
        if !self.state.nodes.iter().any(|node| packet.epoch > 0 && node.epoch == packet.epoch) {
            return;
        }
        let reply = crate::state::Reply {
            epoch: packet.epoch,
            place: small(place),
            op: packet.op,
            attempt: packet.attempt,
            answer,
        };
        crate::state::put(&mut self.state.replies, reply);
    }
}
