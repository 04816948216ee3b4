use super::*;
use alloc::string::ToString;

#[test]
fn an_error_names_the_checkpoint() {
    let name = || String::from("a");
    assert_eq!(RollbackError::Unknown { name: name() }.to_string(), "there is no checkpoint \"a\"");
    assert_eq!(
        RollbackError::Undone { name: name() }.to_string(),
        "the levels before checkpoint \"a\" have been undone"
    );
}
