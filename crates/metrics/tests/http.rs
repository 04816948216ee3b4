//! Scrapes over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use atomik_metrics::http::{MetricsService, respond, route};
use atomik_metrics::{Format, Handle, Recorder};
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service;

fn handle() -> Handle {
    let handle = Recorder::new().handle();
    handle.counter("requests_total", &[]).increment(3);
    handle
}

const FORMATS: [(&str, Format); 4] = [
    ("text/plain", Format::Text),
    ("*/*", Format::Text),
    ("application/openmetrics-text; version=1.0.0", Format::OpenMetrics),
    (
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        Format::Protobuf,
    ),
];

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

fn body(response: Response<http_body_util::Full<bytes::Bytes>>) -> Vec<u8> {
    block_on(response.into_body().collect()).unwrap().to_bytes().to_vec()
}

#[test]
fn a_response_has_the_format_that_was_asked_for() {
    let handle = handle();
    for (accept, format) in FORMATS {
        let request = Request::get("/metrics").header(ACCEPT, accept).body(()).unwrap();
        let response = respond(&handle, &request);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], format.content_type());
        assert_eq!(body(response), handle.render_as(format));
    }
}

#[test]
fn several_accept_headers_count_as_one() {
    let request = Request::get("/").header(ACCEPT, "text/plain;q=0.5");
    let request = request.header(ACCEPT, "application/openmetrics-text").body(()).unwrap();
    assert_eq!(respond(&handle(), &request).headers()[CONTENT_TYPE], Format::OpenMetrics.content_type());
}

#[test]
fn only_get_and_head_are_allowed() {
    let handle = handle();
    let status = |method: &str| {
        let response = respond(&handle, &Request::builder().method(method).body(()).unwrap());
        (response.status(), response.headers().get(ALLOW).map(|value| value.to_str().unwrap().to_owned()))
    };
    assert_eq!(status("GET"), (StatusCode::OK, None));
    assert_eq!(status("HEAD"), (StatusCode::OK, None));
    assert_eq!(status("POST"), (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD".to_owned())));
}

#[test]
fn the_service_for_hyper_answers_as_respond_does() {
    let handle = handle();
    let request = Request::get("/metrics").header(ACCEPT, "application/openmetrics-text").body("").unwrap();
    let response = block_on(MetricsService::new(handle.clone()).call(request)).unwrap();
    assert_eq!(body(response), handle.render_as(Format::OpenMetrics));
}

#[test]
fn the_route_for_axum_answers_a_scrape() {
    let handle = handle();
    let app = axum::Router::new().route("/metrics", route(handle.clone()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        block_on(async { axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await })
    });
    for (accept, format) in FORMATS {
        let (head, body) = get(address, accept);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("content-type: {}\r\n", format.content_type())), "{head}");
        assert_eq!(body, handle.render_as(format));
    }
}

fn get(address: SocketAddr, accept: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).unwrap(), body)
}
