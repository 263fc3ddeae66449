//! localstripe as a server of one's own.

#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use backstitch_services::{Localstripe, Service as _};

/// The whole answer to one request with a key.
fn ask(of: &Localstripe, request: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", of.port())).unwrap();
    let form = "Content-Type: application/x-www-form-urlencoded";
    let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk_test_1\r\n{form}");
    let length = body.len();
    write!(connection, "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// The id of a new payment intent.
fn created(of: &Localstripe) -> String {
    let answer = ask(of, "POST /v1/payment_intents", "amount=700&currency=eur");
    let (_, id) = answer.split_once("\"id\": \"").unwrap_or_else(|| panic!("{answer}"));
    id[..id.find('"').unwrap()].to_owned()
}

#[test]
fn each_has_a_state_of_its_own_which_outlives_a_kill() {
    let (one, other) = (Localstripe::start(), Localstripe::start());
    let id = created(&one);
    let retrieve = format!("GET /v1/payment_intents/{id}");
    assert!(ask(&one, &retrieve, "").contains("\"amount\": 700"));
    assert!(ask(&other, &retrieve, "").starts_with("HTTP/1.1 404"));
    one.kill();
    assert!(one.answers().is_err());
    one.start_again();
    assert!(ask(&one, &retrieve, "").contains("\"amount\": 700"));
}
