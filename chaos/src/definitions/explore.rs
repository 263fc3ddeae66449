//! Every schedule of up to so many faults, each exactly once, shortest first.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::broken::Broken;
use super::fault::Fault;
use super::law::Checked;
use super::samples::Stage;
use super::tally::Tally;
use super::world::{Due, Rhythm, World};

type Explored<T = ()> = Result<T, Box<Broken>>;

/// Runs every schedule of up to `faults` faults. What is found first is as short as can be.
pub(super) fn all(stage: &Stage<'_>, faults: usize) -> Explored<Tally> {
    let mut tally = Tally::default();
    for faults in 0..=faults {
        for rhythm in [Rhythm::Riding, Rhythm::Stepwise] {
            let begin = World::new(stage, rhythm);
            let begin = begin.map_err(|violation| Broken::at_once(stage.definition, violation))?;
            if faults < 2 {
                exactly(begin, faults, &mut tally)?;
            } else {
                in_parallel(begin, faults, &mut tally)?;
            }
        }
    }
    Ok(tally)
}

/// Runs every schedule that strikes this world with `left` more faults.
fn exactly(world: World<'_>, left: usize, tally: &mut Tally) -> Explored {
    match left {
        0 => to_the_end(world, tally),
        _ => walk(world, &mut |struck| exactly(struck, left - 1, tally)),
    }
}

/// The worlds after the first fault are independent of each other, so workers take them as they come.
fn in_parallel(begin: World<'_>, faults: usize, tally: &mut Tally) -> Explored {
    let mut worlds = Vec::new();
    walk(begin, &mut |struck| {
        worlds.push(struck);
        Ok(())
    })?;
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(world) = worlds.get(place) else { return };
            let mut tally = Tally::default();
            let explored = exactly(world.clone(), faults - 1, &mut tally).map(|()| tally);
            results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((place, explored));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    // What is reported is the first in order, whichever worker was the fastest.
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().try_for_each(|(_, explored)| {
        tally.add(explored?);
        Ok(())
    })
}

/// Goes on without a further fault, and hands over a copy for every fault that could strike on the way.
fn walk<'s>(mut world: World<'s>, struck: &mut dyn FnMut(World<'s>) -> Explored) -> Explored {
    loop {
        match world.due() {
            Due::Send(place) => {
                for fault in world.faults(place) {
                    struck(branch(&world, |world| world.suffer(place, fault))?)?;
                }
                step(&mut world, |world| world.send(place))?;
            }
            Due::Commit => {
                struck(branch(&world, World::crash_before_record)?)?;
                world.commit();
            }
            Due::Hear => step(&mut world, World::hear)?,
            Due::Ring => {
                for fault in [Fault::Cancelled, Fault::Deadline] {
                    struck(branch(&world, |world| world.suffer_in_pause(fault))?)?;
                }
                step(&mut world, World::ring)?;
            }
            Due::Person => {
                step(&mut world, World::park)?;
                if world.is_cancellable() {
                    walk(branch(&world, World::cancel)?, struck)?;
                }
                step(&mut world, World::resume)?;
            }
            Due::End => return Ok(()),
        }
    }
}

/// Goes on without a further fault, and holds the end to the laws.
fn to_the_end(mut world: World<'_>, tally: &mut Tally) -> Explored {
    loop {
        match world.due() {
            Due::Send(place) => step(&mut world, |world| world.send(place))?,
            Due::Commit => world.commit(),
            Due::Hear => step(&mut world, World::hear)?,
            Due::Ring => step(&mut world, World::ring)?,
            Due::Person => {
                step(&mut world, World::park)?;
                if world.is_cancellable() {
                    to_the_end(branch(&world, World::cancel)?, tally)?;
                }
                step(&mut world, World::resume)?;
            }
            Due::End => {
                let end = step(&mut world, World::finish)?;
                tally.ended(&world, end);
                return Ok(());
            }
        }
    }
}

fn step<'s, T>(world: &mut World<'s>, go: impl FnOnce(&mut World<'s>) -> Checked<T>) -> Explored<T> {
    go(world).map_err(|violation| Broken::of(world, violation))
}

fn branch<'s>(world: &World<'s>, go: impl FnOnce(&mut World<'s>) -> Checked) -> Explored<World<'s>> {
    let mut other = world.clone();
    step(&mut other, go)?;
    Ok(other)
}
