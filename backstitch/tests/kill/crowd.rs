//! Customers who come until what they are to bring about has happened.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::asker::Doors;
use crate::customers::{Customer, Kind};
use crate::dice::Dice;

/// So often they come at most. Once is enough, unless orchestrators take each other's sagas over for lack of time.
const WAVES: usize = 10;
/// Customers of a wave who begin at the second orchestrator, where there is one.
const ELSEWHERE: [usize; 2] = [3, 5];

pub(crate) struct Crowd {
    kinds: Vec<Kind>,
    doors: Doors,
    dice: Dice,
    waves: usize,
    number: usize,
    shopping: JoinSet<Customer>,
    rested: Vec<Customer>,
}

impl Crowd {
    /// `kinds` come at a time.
    pub(crate) fn new(kinds: &[Kind], doors: &Doors, dice: &Dice) -> Self {
        let (shopping, rested) = (JoinSet::new(), Vec::new());
        let (kinds, doors, dice) = (kinds.to_vec(), doors.clone(), dice.clone());
        Self { kinds, doors, dice, waves: 0, number: 0, shopping, rested }
    }

    /// One of each kind, within a moment.
    pub(crate) fn come(&mut self) {
        self.waves += 1;
        for (place, kind) in self.kinds.clone().into_iter().enumerate() {
            self.one_comes(kind, usize::from(ELSEWHERE.contains(&place)));
        }
    }

    pub(crate) fn one_comes(&mut self, kind: Kind, door: usize) {
        let mut customer = Customer::new(self.number, kind, &self.doors, door);
        self.number += 1;
        let comes = self.dice.moment(30);
        self.shopping.spawn(async move {
            tokio::time::sleep(comes).await;
            customer.shop().await;
            customer
        });
    }

    /// What happened; None if all have come to rest, again and again, and it has not.
    pub(crate) async fn until<T>(&mut self, mut happens: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            if let Some(happened) = happens() {
                return Some(happened);
            }
            while let Some(customer) = self.shopping.try_join_next() {
                self.rested.push(customer.unwrap());
            }
            if self.shopping.is_empty() {
                if self.waves == WAVES {
                    return None;
                }
                self.come();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn all_rest(mut self) -> Vec<Customer> {
        self.rested.append(&mut self.shopping.join_all().await);
        self.rested
    }
}
