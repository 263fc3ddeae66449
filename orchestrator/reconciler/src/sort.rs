//! Sorting more lines than fit into memory: full heaps are sorted and put away in files without a name, and the end is one
//! merge over all of them. So the memory that a run takes is the heap's and a buffer for each file, however long the
//! provider's list is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek as _};

/// A line of some book under the key that it is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) book: Book,
    pub(crate) bytes: Vec<u8>,
}

/// Of which book a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Book {
    Payment,
    Object,
    Order,
    Case,
    /// An object that cannot be read.
    Unreadable,
}

impl Book {
    const ALL: [Book; 5] = [Book::Payment, Book::Object, Book::Order, Book::Case, Book::Unreadable];
}

/// Takes lines in any order.
pub(crate) struct Sorter {
    heap: Vec<Line>,
    bytes: usize,
    most: usize,
    put_away: Vec<File>,
}

/// What a line takes beside its bytes.
const OVERHEAD: usize = size_of::<Line>() + 32;

impl Sorter {
    /// Keeps so many bytes in memory.
    pub(crate) fn new(most: usize) -> Self {
        Self { heap: Vec::new(), bytes: 0, most, put_away: Vec::new() }
    }

    pub(crate) fn push(&mut self, line: Line) -> io::Result<()> {
        self.bytes += line.key.len() + line.bytes.len() + OVERHEAD;
        self.heap.push(line);
        if self.bytes >= self.most { self.put_away() } else { Ok(()) }
    }

    fn put_away(&mut self) -> io::Result<()> {
        self.heap.sort_unstable();
        let mut file = BufWriter::new(tempfile::tempfile()?);
        for line in self.heap.drain(..) {
            write(&mut file, &line)?;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.put_away.push(file);
        self.bytes = 0;
        Ok(())
    }

    /// How many files the lines are in.
    #[cfg(test)]
    fn files(&self) -> usize {
        self.put_away.len()
    }

    /// All of them by key; those of one key by book.
    pub(crate) fn sorted(mut self) -> io::Result<Sorted> {
        self.heap.sort_unstable();
        let mut sources = vec![Source::Heap(self.heap.into_iter())];
        sources.extend(self.put_away.into_iter().map(|file| Source::File(BufReader::new(file))));
        let mut heads = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            heads.extend(source.next()?.map(|line| Reverse((line, at))));
        }
        Ok(Sorted { sources, heads })
    }
}

enum Source {
    Heap(std::vec::IntoIter<Line>),
    File(BufReader<File>),
}

impl Source {
    fn next(&mut self) -> io::Result<Option<Line>> {
        match self {
            Source::Heap(lines) => Ok(lines.next()),
            Source::File(file) => read(file),
        }
    }
}

/// Lines by key.
pub(crate) struct Sorted {
    sources: Vec<Source>,
    heads: BinaryHeap<Reverse<(Line, usize)>>,
}

impl Sorted {
    fn next(&mut self) -> io::Result<Option<Line>> {
        let Some(Reverse((line, at))) = self.heads.pop() else { return Ok(None) };
        self.heads.extend(self.sources[at].next()?.map(|next| Reverse((next, at))));
        Ok(Some(line))
    }

    /// The lines of the next key; empty at the end.
    pub(crate) fn group(&mut self) -> io::Result<Vec<Line>> {
        let mut group = Vec::new();
        group.extend(self.next()?);
        while let Some(Reverse((head, _))) = self.heads.peek()
            && group.first().is_some_and(|first| first.key == head.key)
        {
            group.extend(self.next()?);
        }
        Ok(group)
    }
}

fn write(to: &mut impl io::Write, line: &Line) -> io::Result<()> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(io::Error::other);
    let book = Book::ALL.iter().position(|book| *book == line.book).unwrap_or_default();
    to.write_all(&[u8::try_from(book).unwrap_or_default()])?;
    to.write_all(&length(line.key.as_bytes())?.to_le_bytes())?;
    to.write_all(line.key.as_bytes())?;
    to.write_all(&length(&line.bytes)?.to_le_bytes())?;
    to.write_all(&line.bytes)
}

fn read(from: &mut impl Read) -> io::Result<Option<Line>> {
    let mut book = [0];
    match from.read_exact(&mut book) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut bytes = || {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?];
        from.read_exact(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let key = String::from_utf8(bytes()?).map_err(io::Error::other)?;
    let book = Book::ALL.get(usize::from(book[0])).copied().ok_or(ErrorKind::InvalidData)?;
    Ok(Some(Line { key, book, bytes: bytes()? }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = Line> {
        let book = prop::sample::select(&Book::ALL[..]);
        ("[a-c]{0,2}", book, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(key, book, bytes)| Line {
            key,
            book,
            bytes,
        })
    }

    proptest! {
        #[test]
        fn every_line_comes_back_once_and_in_order(
            lines in prop::collection::vec(line(), 0..80),
            most in 1usize..2_000,
        ) {
            let mut sorter = Sorter::new(most);
            for line in &lines {
                sorter.push(line.clone()).unwrap();
            }
            let (mut sorted, mut back) = (sorter.sorted().unwrap(), Vec::new());
            loop {
                let group = sorted.group().unwrap();
                let Some(first) = group.first() else { break };
                prop_assert!(group.iter().all(|line| line.key == first.key));
                prop_assert!(back.last().is_none_or(|last: &Line| last.key < first.key), "a key is one group");
                back.extend(group);
            }
            let mut wanted = lines;
            wanted.sort();
            prop_assert_eq!(back, wanted);
        }
    }

    #[test]
    fn what_is_in_memory_is_bounded_by_what_was_said() {
        let line = |n: u32| Line { key: format!("{n:010}"), book: Book::Object, bytes: vec![0; 100] };
        let one = 110 + OVERHEAD;
        let mut sorter = Sorter::new(10 * one);
        (0..9).for_each(|n| sorter.push(line(n)).unwrap());
        assert_eq!((sorter.heap.len(), sorter.files()), (9, 0), "one short of the limit");
        sorter.push(line(9)).unwrap();
        assert_eq!((sorter.heap.len(), sorter.files()), (0, 1), "at the limit");
        (10..1_000).for_each(|n| sorter.push(line(n)).unwrap());
        assert_eq!((sorter.heap.len(), sorter.files()), (0, 100));
    }
}
