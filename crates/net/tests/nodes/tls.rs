//! Connections with certificates.

use atomik_core::Add;
use atomik_net::{Node, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use crate::{ANY, address, builder, in_time, until};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The certificate of a node, which is changed before it is signed, with the certificate of another authority that
    /// it trusts.
    fn tls(&self, trusted: &Self, change: impl FnOnce(&mut CertificateParams)) -> Tls {
        let mut params = CertificateParams::new(vec!["atomik".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Tls::from_pem(
            certificate.pem().as_bytes(),
            key.serialize_pem().as_bytes(),
            trusted.0.pem().as_bytes(),
        )
        .unwrap()
    }
}

async fn start(node: u64, tls: Option<Tls>, peer: &str) -> Node<Add> {
    let builder = tls.into_iter().fold(builder(node), |builder, tls| builder.tls(tls));
    builder.peer(peer).start().await.unwrap()
}

#[tokio::test]
async fn nodes_with_certificates_of_one_authority_converge_and_others_are_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let one = builder(1).listen(ANY).tls(authority.tls(&authority, |_| ())).start().await.unwrap();
    let two = start(2, Some(authority.tls(&authority, |_| ())), &address(&one)).await;
    in_time("they connect", two.reached(1)).await.unwrap();
    one.producer().accum(1, 1);
    until("it arrives", || two.view().read(1) == 1).await;

    // None at all; one of another authority; one that has expired; one of another name.
    let refused = one.stats().refused_tls;
    let plain = start(3, None, &address(&one)).await;
    until("a peer without TLS is refused", || one.stats().refused_tls > refused).await;
    drop(plain);
    let expired = |params: &mut CertificateParams| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    };
    for tls in
        [other.tls(&authority, |_| ()), authority.tls(&authority, expired), authority.tls(&other, |_| ())]
    {
        let refused = one.stats().refused_tls;
        let stranger = start(3, Some(tls), &address(&one)).await;
        until("it is refused", || one.stats().refused_tls > refused || stranger.stats().refused_tls > 0)
            .await;
        assert!(one.peers() == [2] && stranger.peers().is_empty());
    }
    let misnamed = authority.tls(&authority, |_| ()).with_server_name("other").unwrap();
    let stranger = start(3, Some(misnamed), &address(&one)).await;
    until("the server has another name", || stranger.stats().refused_tls > 0).await;
    one.producer().accum(1, 1);
    until("others are served", || two.view().read(1) == 2).await;
}

#[test]
fn what_is_no_certificate_is_refused_by_name() {
    let authority = Authority::new();
    let pem = authority.0.pem();
    let error = Tls::from_pem(b"x", b"x", pem.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "a certificate or key is not in PEM");
    let tls = authority.tls(&authority, |_| ());
    assert_eq!(tls.with_server_name("a b").unwrap_err().to_string(), "\"a b\" is no name for a certificate");
}
