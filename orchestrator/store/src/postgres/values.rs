//! Parameters on their way in and columns on their way out.

use sqlx::{
    Arguments as _, Decode, Encode, Postgres, Row as _, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{
        PgArgumentBuffer, PgArguments, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, PgValueRef,
        types::Oid,
    },
};
use uuid::Uuid;

use crate::{KeyRow, StoreError};

/// An id as Postgres's own `uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(pub(super) Uuid);

/// The types `uuid` and `uuid[]`, the same on every server.
const UUID: PgTypeInfo = PgTypeInfo::with_oid(Oid(2950));
const UUIDS: PgTypeInfo = PgTypeInfo::with_oid(Oid(2951));

impl Type<Postgres> for Id {
    fn type_info() -> PgTypeInfo {
        UUID
    }
}

impl PgHasArrayType for Id {
    fn array_type_info() -> PgTypeInfo {
        UUIDS
    }
}

impl Encode<'_, Postgres> for Id {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Id {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Ok(Self(Uuid::from_slice(value.as_bytes()?)?)),
            PgValueFormat::Text => Ok(Self(value.as_str()?.parse()?)),
        }
    }
}

/// Parameters in the order of their numbers. A value that cannot be bound is remembered and told at the end.
#[derive(Default)]
pub(super) struct Values {
    arguments: PgArguments,
    failed: Option<String>,
}

impl Values {
    pub(super) fn add<'v, T>(&mut self, value: T)
    where
        T: Encode<'v, Postgres> + Type<Postgres>,
    {
        if let Err(error) = self.arguments.add(value) {
            self.failed = Some(error.to_string());
        }
    }

    /// An array.
    pub(super) fn each<'v, T>(&mut self, values: impl IntoIterator<Item = T>)
    where
        Vec<T>: Encode<'v, Postgres> + Type<Postgres>,
    {
        self.add(values.into_iter().collect::<Vec<T>>());
    }

    /// The parameters.
    pub(super) fn finish(self) -> Result<PgArguments, String> {
        match self.failed {
            None => Ok(self.arguments),
            Some(why) => Err(why),
        }
    }
}

/// A column whose type the schema fixes: another type is another program's table.
pub(super) fn get<'r, T>(row: &'r PgRow, at: usize) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(at).map_err(|error| StoreError::Fatal(error.to_string()))
}

pub(super) fn uuid(row: &PgRow, at: usize) -> Result<Uuid, StoreError> {
    get::<Id>(row, at).map(|id| id.0)
}

pub(super) fn shard(number: i32) -> Result<u16, StoreError> {
    u16::try_from(number).map_err(|error| StoreError::Fatal(format!("shard {number}: {error}")))
}

pub(super) fn version(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|error| StoreError::Fatal(format!("version {number}: {error}")))
}

/// How many there are.
pub(super) fn counted(row: &PgRow, at: usize) -> Result<u64, StoreError> {
    Ok(u64::try_from(get::<i64>(row, at)?).unwrap_or(0))
}

pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A key's row from `saga, request_hash, created_at_ms`.
pub(super) fn key_row(row: &PgRow) -> Result<KeyRow, StoreError> {
    let hash: &[u8] = get(row, 1)?;
    let request_hash =
        hash.try_into().map_err(|_| StoreError::Fatal("a request hash is damaged".to_owned()))?;
    let saga = get::<Option<Id>>(row, 0)?.map(|id| id.0);
    Ok(KeyRow { saga, request_hash, created_at_ms: get(row, 2)? })
}
