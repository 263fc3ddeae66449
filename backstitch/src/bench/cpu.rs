//! Processor time of processes, from the kernel's own counters.

/// Fields of /proc/PID/stat, counted from 0 after the parenthesised name.
struct Stat {
    name: String,
    fields: Vec<u64>,
}

impl Stat {
    /// None where the system does not tell.
    fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (before, rest) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        Some(Self { name, fields: rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect() })
    }

    fn field(&self, at: usize) -> u64 {
        self.fields.get(at).copied().unwrap_or(0)
    }

    fn parent(&self) -> u64 {
        self.field(1)
    }

    /// In ticks of 10 ms.
    fn micros(&self) -> u64 {
        (self.field(11) + self.field(12)) * 10_000
    }
}

/// User and system time that process `pid` has used, in microseconds; 0 where the system does not tell.
pub(crate) fn micros(pid: u32) -> u64 {
    Stat::of(pid).map_or(0, |stat| stat.micros())
}

/// The parent of `pid`, if both are processes of this name on this machine.
pub(crate) fn parent(pid: u32, name: &str) -> Option<u32> {
    let stat = Stat::of(pid).filter(|stat| stat.name == name)?;
    let parent = u32::try_from(stat.parent()).ok()?;
    Stat::of(parent).filter(|stat| stat.name == name).map(|_| parent)
}

/// What `pid` and its children use, those that have ended included.
pub(crate) fn micros_of_family(pid: u32) -> u64 {
    let Some(stat) = Stat::of(pid) else { return 0 };
    let ended = (stat.field(13) + stat.field(14)) * 10_000;
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = pids.filter_map(Stat::of).filter(|child| child.parent() == u64::from(pid));
    stat.micros() + ended + children.map(|child| child.micros()).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_some_time_and_belongs_to_its_parent() {
        let me = std::process::id();
        let mut begun = 0_u64;
        while micros(me) == 0 {
            begun = begun.wrapping_add(1);
        }
        let mine = Stat::of(me).unwrap();
        let family = micros_of_family(u32::try_from(mine.parent()).unwrap());
        assert!(family >= micros(me));
        assert_eq!(parent(me, "no such name"), None);
        assert_eq!(micros(u32::MAX), 0);
    }
}
