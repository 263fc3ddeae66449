//! Messages as bytes: the engine passes requests and answers through without knowing their types.

use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// An answer, unless it is larger than a participant may make it.
pub(super) enum Answer {
    Bytes(Bytes),
    /// So many bytes were not kept.
    TooLarge(usize),
}

#[derive(Clone, Copy)]
pub(super) struct BytesCodec {
    pub(super) max_answer_bytes: usize,
}

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Answer;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Answer;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Answer>, Status> {
        let size = from.remaining();
        if size > self.max_answer_bytes {
            from.advance(size);
            return Ok(Some(Answer::TooLarge(size)));
        }
        Ok(Some(Answer::Bytes(from.copy_to_bytes(size))))
    }
}
