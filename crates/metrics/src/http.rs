//! Responses to scrapes over HTTP.

#[cfg(feature = "hyper")]
use std::convert::Infallible;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;

use crate::exposition::Format;
use crate::recorder::Handle;

/// The response to a scrape: all series, in the [format](Format::negotiate) that the `Accept` header of the request
/// prefers. The response to any method but GET and HEAD has status 405.
///
/// ```
/// use http::{Request, header};
///
/// let handle = atomik_metrics::Recorder::new().handle();
/// handle.counter("requests_total", &[]).increment(1);
/// let request = Request::get("/metrics").header(header::ACCEPT, "application/openmetrics-text").body(()).unwrap();
/// let response = atomik_metrics::http::respond(&handle, &request);
/// assert!(response.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
/// ```
#[must_use]
pub fn respond<B>(handle: &Handle, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refusal = Response::new(Full::default());
        *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let format = format(request.headers());
    let mut response = Response::new(Full::from(handle.render_as(format)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response
}

fn format(headers: &HeaderMap) -> Format {
    let accepts: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    Format::negotiate(&accepts.join(","))
}

/// A route for axum. It answers `GET` with all series, as [`respond`] does.
///
/// ```
/// let handle = atomik_metrics::Recorder::new().handle();
/// let app: axum::Router = axum::Router::new().route("/metrics", atomik_metrics::http::route(handle));
/// ```
#[cfg(feature = "axum")]
pub fn route<S: Clone + Send + Sync + 'static>(handle: Handle) -> axum::routing::MethodRouter<S> {
    axum::routing::get(move |headers: HeaderMap| async move {
        let format = format(&headers);
        ([(CONTENT_TYPE, format.content_type())], handle.render_as(format))
    })
}

/// A service for hyper that answers every request as [`respond`] does.
#[cfg(feature = "hyper")]
#[derive(Clone, Debug)]
pub struct MetricsService(Handle);

#[cfg(feature = "hyper")]
impl MetricsService {
    /// A service that answers with the series of the recorder that this is a handle of.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }
}

#[cfg(feature = "hyper")]
impl<B> hyper::service::Service<Request<B>> for MetricsService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        std::future::ready(Ok(respond(&self.0, &request)))
    }
}
