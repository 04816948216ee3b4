//! `Serialize` and `Deserialize` for the types that leave a process: [`Checkpoint`], [`DeltaMessage`] and
//! [`DeltaBatch`].
//!
//! The two structs have the form that `serde_derive` would give them. The crate writes it out because it does
//! not depend on procedural macros. A batch is a sequence of pairs of an address and its delta.

use core::fmt;

use alloc::vec::Vec;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::algebra::Algebra;
use crate::delta::{DeltaBatch, DeltaMessage};
use crate::epoch::Checkpoint;

/// Implements both traits for a struct with public fields.
macro_rules! impl_serde_for_struct {
    ($type:ident { $($field:ident),+ }) => {
        const _: () = {
            const NAME: &str = stringify!($type);
            const FIELDS: &[&str] = &[$(stringify!($field)),+];

            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let mut fields = serializer.serialize_struct(NAME, FIELDS.len())?;
                    $(fields.serialize_field(stringify!($field), &self.$field)?;)+
                    fields.end()
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_struct(NAME, FIELDS, StructVisitor)
                }
            }

            struct StructVisitor;

            impl<'de> Visitor<'de> for StructVisitor {
                type Value = $type;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "struct {NAME}")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<$type, A::Error> {
                    $(let $field = values.next_element()?.ok_or_else(|| missing::<A::Error>(stringify!($field)))?;)+
                    Ok($type { $($field),+ })
                }

                fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<$type, A::Error> {
                    $(let mut $field = None;)+
                    while let Some(name) = entries.next_key_seed(FieldName(FIELDS))? {
                        $(if name == Some(stringify!($field)) {
                            if $field.replace(entries.next_value()?).is_some() {
                                return Err(A::Error::duplicate_field(stringify!($field)));
                            }
                            continue;
                        })+
                        entries.next_value::<IgnoredAny>()?;
                    }
                    $(let $field = $field.ok_or_else(|| missing::<A::Error>(stringify!($field)))?;)+
                    Ok($type { $($field),+ })
                }
            }
        };
    };
}

impl_serde_for_struct!(Checkpoint { epoch, state, delta });
impl_serde_for_struct!(DeltaMessage { addr, delta, seq });

fn missing<E: Error>(field: &'static str) -> E {
    E::missing_field(field)
}

/// Reads the key of a struct's field: one of these names, or `None` for a field that the struct does not have.
#[derive(Clone, Copy)]
struct FieldName(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name or the index of a field")
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<Self::Value, E> {
        Ok(usize::try_from(index).ok().and_then(|index| self.0.get(index).copied()))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        self.visit_bytes(name.as_bytes())
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|field| field.as_bytes() == name))
    }
}

impl<A: Algebra> Serialize for DeltaBatch<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de, A: Algebra> Deserialize<'de> for DeltaBatch<A> {
    /// Accepts the pairs in any order, and composes the deltas of one address, as collecting them does.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A vector does not trust the length that the input claims: it reserves little, and grows by what arrives.
        Vec::<(u32, u64)>::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests;
