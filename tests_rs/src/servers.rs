//! Servers that the tests of stores talk to, on the loopback interface.
//!
//! Each runs in a folder of its own, with ports that nobody else has, and ends with the value that
//! stands for it or with this process, whichever is first.

mod http;
mod process;

use std::sync::LazyLock;

use mithril_core::{GcsStorage, GcsStorageBuilder, S3Storage, S3StorageBuilder};

pub use self::http::request;
use self::process::{Process, free_ports, tool};

/// The keys that the servers of S3 know.
pub const KEY_ID: &str = "test";
/// The secret that goes with [`KEY_ID`].
pub const SECRET: &str = "testtesttest";

/// A server of S3.
pub trait S3Server: Sync {
    /// Where it answers.
    fn endpoint(&self) -> String;

    /// Makes a bucket.
    fn make_bucket(&self, name: &str);

    /// How many uploads in parts are open in a bucket.
    fn open_uploads(&self, bucket: &str) -> usize;

    /// A store in a bucket, with the right keys.
    fn builder(&self, bucket: &str) -> S3StorageBuilder {
        builder_at(&self.endpoint(), bucket)
    }
}

/// A store in a bucket of a server that another process has started.
pub fn builder_at(endpoint: &str, bucket: &str) -> S3StorageBuilder {
    S3Storage::builder(bucket)
        .with_endpoint(endpoint)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_credentials(KEY_ID, SECRET)
}

/// moto's server: quick, complete, and without a look at signatures.
pub struct Moto {
    port: u16,
    _process: Process,
}

impl Moto {
    /// Starts one, and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/moto_in_one_step.py");
        let (process, ports) = Process::start("moto", 1, |_, ports| {
            vec![tool("python"), script.to_owned(), ports[0].to_string()]
        });
        let port = ports[0];
        process.wait_until("it answers", || request(port, "GET", "/moto-api/").is_ok());
        Self { port, _process: process }
    }

    /// The one that the tests of this process share.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Moto> = LazyLock::new(Moto::start);
        &SHARED
    }
}

impl S3Server for Moto {
    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn make_bucket(&self, name: &str) {
        let (status, body) = request(self.port, "PUT", &format!("/{name}")).expect("moto answers");
        assert_eq!(status, 200, "{body}");
    }

    fn open_uploads(&self, bucket: &str) -> usize {
        let (status, body) =
            request(self.port, "GET", &format!("/{bucket}?uploads")).expect("moto answers");
        assert_eq!(status, 200, "{body}");
        body.matches("<UploadId>").count()
    }
}

/// `SeaweedFS`: an independent implementation, which looks at signatures and decides races.
pub struct SeaweedFs {
    port: u16,
    filer: u16,
    _process: Process,
}

impl SeaweedFs {
    /// Starts one, and waits until it takes objects.
    #[must_use]
    pub fn start() -> Self {
        const PORTS: [&str; 8] = [
            "s3.port",
            "filer.port",
            "master.port",
            "volume.port",
            "s3.port.grpc",
            "filer.port.grpc",
            "master.port.grpc",
            "volume.port.grpc",
        ];
        let (process, ports) = Process::start("seaweedfs", PORTS.len(), |folder, ports| {
            let identity = format!(
                r#"{{"identities":[{{"name":"t","credentials":[{{"accessKey":"{KEY_ID}","secretKey":"{SECRET}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
            );
            std::fs::write(folder.join("s3.json"), identity).expect("the folder can be written");
            let mut command = vec![tool("weed"), "server".to_owned()];
            command.extend(PORTS.iter().zip(ports).map(|(name, port)| format!("-{name}={port}")));
            let rest = [
                "-dir=.",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                "-master.volumeSizeLimitMB=256",
                "-volume.max=100",
                "-filer.localSocket=filer.sock",
                "-s3",
                "-s3.localSocket=s3.sock",
                "-s3.config=s3.json",
                "-s3.iam=false",
                "-s3.autoCreateBucket=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
            ];
            command.extend(rest.map(str::to_owned));
            command
        });
        let (port, filer) = (ports[0], ports[1]);
        // It answers before it has a place for objects.
        process.wait_until("it takes objects", || {
            let made = request(filer, "PUT", "/buckets/ready/object");
            made.is_ok_and(|(status, _)| status == 201)
        });
        process.wait_until("it speaks S3", || {
            // Without a signature it has to refuse.
            request(port, "GET", "/ready/object").is_ok_and(|(status, _)| status == 403)
        });
        Self { port, filer, _process: process }
    }

    /// The one that the tests of this process share.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<SeaweedFs> = LazyLock::new(SeaweedFs::start);
        &SHARED
    }
}

impl S3Server for SeaweedFs {
    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn make_bucket(&self, name: &str) {
        let made = request(self.filer, "POST", &format!("/buckets/{name}/"));
        let (status, body) = made.expect("the filer answers");
        assert_eq!(status, 201, "{body}");
    }

    fn open_uploads(&self, bucket: &str) -> usize {
        // Its list of uploads asks for a signature; they are folders of the bucket.
        let path = format!("/buckets/{bucket}/.uploads/?limit=1000");
        let (status, body) = request(self.filer, "GET", &path).expect("the filer answers");
        assert!([200, 404].contains(&status), "{status}: {body}");
        body.matches("\"FullPath\"").count()
    }
}

/// A stand-in for Google's store: it shows that our client works, not that it matches Google's
/// service. See `servers/gcs.py`.
pub struct FakeGcs {
    port: u16,
    _process: Process,
}

impl FakeGcs {
    /// Starts one, and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/gcs.py");
        let (process, ports) = Process::start("the fake of Google's store", 1, |_, ports| {
            vec![tool("python"), script.to_owned(), ports[0].to_string()]
        });
        let port = ports[0];
        process.wait_until("it answers", || request(port, "GET", "/").is_ok());
        Self { port, _process: process }
    }

    /// The one that the tests of this process share.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<FakeGcs> = LazyLock::new(FakeGcs::start);
        &SHARED
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    pub fn make_bucket(&self, name: &str) {
        let (status, body) = request(self.port, "PUT", &format!("/{name}")).expect("it answers");
        assert_eq!(status, 200, "{body}");
    }

    /// How many uploads in parts are open in a bucket.
    #[must_use]
    pub fn open_uploads(&self, bucket: &str) -> usize {
        let answer = request(self.port, "GET", &format!("/{bucket}?uploads"));
        let (status, body) = answer.expect("it answers");
        assert_eq!(status, 200, "{body}");
        body.matches("<UploadId>").count()
    }

    /// A store in a bucket, with the key of an account that leads to this server.
    pub fn builder(&self, bucket: &str) -> GcsStorageBuilder {
        let key = format!(
            r#"{{"gcs_base_url":"{}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#,
            self.endpoint()
        );
        GcsStorage::builder(bucket).with_service_account_key(key).with_allow_http(true)
    }
}

/// A port at which nobody answers.
#[must_use]
pub fn unused_port() -> u16 {
    free_ports(1)[0]
}
