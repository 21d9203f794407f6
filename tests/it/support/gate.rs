//! Stands between the gateway and bots. Shut, it refuses connections as a machine does on which nothing listens.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) struct Gate {
    address: SocketAddr,
    target: String,
    server: Option<JoinSet<()>>,
}

impl Gate {
    /// Open, in front of what listens at `url`. It has an address of its own, so that nobody takes its port while it is shut.
    pub(crate) async fn before(url: &str) -> Self {
        let host = format!(
            "127.{}.{}.{}:0",
            rand::random::<u8>() | 1,
            rand::random::<u8>(),
            rand::random::<u8>() | 1
        );
        let listener = TcpListener::bind(host).await.unwrap();
        let mut gate = Self {
            address: listener.local_addr().unwrap(),
            target: url.trim_start_matches("http://").to_owned(),
            server: None,
        };
        gate.serve(listener);
        gate
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts what is under way, and refuses what comes.
    pub(crate) async fn shut(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.shutdown().await;
        }
    }

    pub(crate) fn open(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.serve(socket.listen(1024).unwrap());
    }

    fn serve(&mut self, listener: TcpListener) {
        let mut server = JoinSet::new();
        server.spawn(accept(listener, self.target.clone()));
        self.server = Some(server);
    }
}

async fn accept(listener: TcpListener, target: String) {
    let mut connections = JoinSet::new();
    while let Ok((mut from, _)) = listener.accept().await {
        let target = target.clone();
        connections.spawn(async move {
            let mut to = TcpStream::connect(target).await.unwrap();
            // Either end may hang up.
            drop(tokio::io::copy_bidirectional(&mut from, &mut to).await);
        });
    }
}
