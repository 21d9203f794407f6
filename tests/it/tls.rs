//! TLS on the public port, by real connections, certificates and files.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rcgen::CertifiedKey;
use rcgen::KeyPair;
use rustls::ClientConfig;
use rustls::HandshakeKind;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::config::Config;
use crate::support::gateway::output;
use crate::support::traffic::Traffic;
use crate::support::wait::eventually;
use crate::support::world::World;

/// The files of `[server.tls]`.
struct Files {
    folder: TempDir,
}

impl Files {
    fn with(pair: &CertifiedKey<KeyPair>) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        files.write(pair);
        files
    }

    fn write(&self, pair: &CertifiedKey<KeyPair>) {
        self.write_as(&pair.cert.pem(), &pair.signing_key.serialize_pem());
    }

    fn write_as(&self, certificate: &str, key: &str) {
        std::fs::write(self.path("tls.crt"), certificate).unwrap();
        std::fs::write(self.path("tls.key"), key).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn set(&self, config: &mut Config) {
        config
            .set("server.tls.cert_file", self.path("tls.crt"))
            .set("server.tls.key_file", self.path("tls.key"));
    }
}

fn pair() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

/// A client that trusts these certificates and no other.
fn trusting(certificates: &[&CertifiedKey<KeyPair>], protocols: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in certificates {
        roots.add(pair.cert.der().clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

async fn shake_hands(address: &str, client: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::clone(client)).connect(name, stream).await
}

/// The certificate that the gateway shows now.
async fn shown(address: &str, client: &Arc<ClientConfig>) -> CertificateDer<'static> {
    let stream = shake_hands(address, client).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Takes plain connections and carries them to the gateway over TLS, for bots and an 8x8 that know no private certificate.
struct Wrapper {
    address: String,
    target: Arc<Mutex<String>>,
    _server: JoinSet<()>,
}

impl Wrapper {
    async fn start(client: Arc<ClientConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let target = Arc::<Mutex<String>>::default();
        let mut server = JoinSet::new();
        let to = Arc::clone(&target);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut plain, _)) = listener.accept().await {
                let (client, target) = (Arc::clone(&client), to.lock().unwrap().clone());
                connections.spawn(async move {
                    let mut secured = shake_hands(&target, &client).await.unwrap();
                    // Either end may hang up.
                    drop(tokio::io::copy_bidirectional(&mut plain, &mut secured).await);
                });
            }
        });
        Self {
            address,
            target,
            _server: server,
        }
    }
}

fn authority(world: &World) -> String {
    world.gateway.public().trim_start_matches("http://").to_owned()
}

/// A world whose bots and 8x8 reach the gateway over TLS only.
async fn world(files: &Files, client: Arc<ClientConfig>) -> (World, Wrapper) {
    let world = World::with(|setup| files.set(&mut setup.config)).await;
    let wrapper = Wrapper::start(client).await;
    *wrapper.target.lock().unwrap() = authority(&world);
    world.api.move_to(&wrapper.address);
    let webhooks = format!("{}/webhooks/8x8/acme", wrapper.address);
    world.eight.point_at(&webhooks).await;
    (world, wrapper)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_webhooks_and_links_go_over_tls_and_plain_http_does_not() {
    let pair = pair();
    let files = Files::with(&pair);
    let (world, _wrapper) = world(&files, trusting(&[&pair], &["http/1.1"])).await;
    let traffic = Traffic::start(&world).await;
    traffic.unharmed(&world).await;
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let plain = plain.get(format!("http://{}/openapi.json", authority(&world))).send();
    assert!(plain.await.is_err(), "plain HTTP has no answer");
    let root = reqwest::Certificate::from_der(pair.cert.der()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build();
    let port = authority(&world).rsplit(':').next().unwrap().to_owned();
    let document = client.unwrap().get(format!("https://localhost:{port}/openapi.json"));
    assert_eq!(document.send().await.unwrap().status(), 200);
    let admin = world.gateway.admin().trim_start_matches("http://").to_owned();
    let healthy = output(&["healthcheck", "--address", &admin]).await;
    assert!(healthy.status.success(), "the operator's port stays plain: {healthy:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_http_1_1_is_spoken_and_a_client_that_comes_back_resumes() {
    let pair = pair();
    let files = Files::with(&pair);
    let (world, _wrapper) = world(&files, trusting(&[&pair], &[])).await;
    let client = trusting(&[&pair], &["h2", "http/1.1"]);
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut stream = shake_hands(&authority(&world), &client).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        // The tickets come with the first answer.
        let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
    }
    let only_h2 = trusting(&[&pair], &["h2"]);
    assert!(shake_hands(&authority(&world), &only_h2).await.is_err());
    world.finish().await;
}

/// What a client of TLS 1.1 says first.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x13, 0x00, 0x2f, 1, 0]);
    // Algorithms of signatures, which newer clients name that fall back.
    hello.extend([0, 10, 0, 13, 0, 6, 0, 4, 4, 3, 4, 1]);
    let mut handshake = vec![1, 0, 0, u8::try_from(hello.len()).unwrap()];
    handshake.extend(hello);
    let mut record = vec![0x16, 3, 1, 0, u8::try_from(handshake.len()).unwrap()];
    record.extend(handshake);
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_protocol_is_refused_with_an_alert() {
    let pair = pair();
    let files = Files::with(&pair);
    let (world, _wrapper) = world(&files, trusting(&[&pair], &[])).await;
    let mut stream = TcpStream::connect(authority(&world)).await.unwrap();
    stream.write_all(&hello_of_tls_1_1()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    // A fatal alert: protocol_version.
    assert_eq!((answer[0], &answer[5..]), (0x15, &[2, 70][..]), "{answer:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_changed_while_connections_stand() {
    let (first, second) = (pair(), pair());
    let files = Files::with(&first);
    let client = trusting(&[&first, &second], &["http/1.1"]);
    let (mut world, _wrapper) = world(&files, Arc::clone(&client)).await;
    let address = authority(&world);
    let traffic = Traffic::start(&world).await;
    assert_eq!(shown(&address, &client).await, *first.cert.der());
    let mut standing = shake_hands(&address, &client).await.unwrap();

    // A pair that does not belong together changes nothing, and says so.
    files.write_as(&second.cert.pem(), &first.signing_key.serialize_pem());
    let refused = world.gateway.reload_in_vain().await;
    world.tolerate("the new settings cannot be used");
    assert!(
        refused["fault"].as_str().unwrap().contains("server.tls.key_file"),
        "{refused}"
    );
    let only_first = trusting(&[&first], &[]);
    assert_eq!(shown(&address, &only_first).await, *first.cert.der());
    traffic.flows(&world).await;

    files.write(&second);
    let taken_up = world.gateway.reload().await;
    assert_eq!(taken_up["changed"], "server.tls.cert_file", "{taken_up}");
    let again = world.gateway.reload().await;
    assert_eq!(again["changed"], "", "it is the same now");
    let only_second = trusting(&[&second], &[]);
    assert_eq!(shown(&address, &only_second).await, *second.cert.der());
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    standing.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    standing.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "the connection of before goes on");
    traffic.flows(&world).await;
    traffic.unharmed(&world).await;
    world.finish().await;
}

async fn not_started(certificate: &str, key: &str) -> String {
    let pair = pair();
    let files = Files::with(&pair);
    files.write_as(certificate, key);
    let text = start_with(&files).await;
    assert!(!text.contains("PRIVATE"), "{text}");
    text
}

async fn start_with(files: &Files) -> String {
    let mut config = Config::new("http://127.0.0.1:9", "http://127.0.0.1:9");
    files.set(&mut config);
    config.set("store.url", "sqlite::memory:");
    let file = files.path("gateway.toml");
    std::fs::write(Path::new(&file), config.text()).unwrap();
    let ended = output(&["serve", "--config", &file]).await;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn files_that_cannot_be_used_stop_the_start_and_are_named() {
    let (one, other) = (pair(), pair());
    let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let text = not_started(&cert, &other.signing_key.serialize_pem()).await;
    assert!(text.contains("it is not the key of the certificate"), "{text}");
    let text = not_started("", &key).await;
    assert!(text.contains("server.tls.cert_file: no certificate is in"), "{text}");
    let text = not_started(&cert, &cert).await;
    assert!(text.contains("server.tls.key_file: no private key is in"), "{text}");
    let files = Files::with(&one);
    std::fs::remove_file(files.path("tls.crt")).unwrap();
    let text = start_with(&files).await;
    assert!(text.contains("server.tls.cert_file: there is no file"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_never_ends_gives_its_place_back() {
    let pair = pair();
    let files = Files::with(&pair);
    let world = World::with(|setup| {
        files.set(&mut setup.config);
        setup.config.set("server.max_connections", 2);
        // So that one address may take all of them.
        setup.config.set("server.trusted_proxies", json!(["127.0.0.0/8"]));
    })
    .await;
    let client = trusting(&[&pair], &[]);
    let silent = [
        TcpStream::connect(authority(&world)).await.unwrap(),
        TcpStream::connect(authority(&world)).await.unwrap(),
    ];
    let begun = std::time::Instant::now();
    let limit = Duration::from_secs(20);
    let stream = tokio::time::timeout(limit, shake_hands(&authority(&world), &client)).await;
    assert!(stream.unwrap().is_ok());
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(5), "both places were taken, {took:?}");
    drop(silent);
    eventually("its bot has the port again", async || {
        shake_hands(&authority(&world), &client).await.ok().map(drop)
    })
    .await;
    world.finish().await;
}
