//! A folder in the object store for one test.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use stores::objects::ObjectStoreSettings;
use uuid::Uuid;

use crate::servers::address;

/// The bucket that all tests use.
const BUCKET: &str = "tests";

/// A folder that only one test uses. It is emptied when this value is dropped.
pub struct ObjectFolder {
    /// The folder's address: `s3://tests/…`.
    pub url: String,
    /// The bucket of the folder.
    pub bucket: Arc<dyn ObjectStore>,
    /// The folder's path in the bucket.
    pub path: Path,
}

impl ObjectFolder {
    /// Creates a folder.
    ///
    /// # Panics
    /// Panics if the object store has no address.
    #[must_use]
    pub fn create() -> Self {
        let path = Path::from(Uuid::now_v7().simple().to_string());
        Self { url: format!("s3://{BUCKET}/{path}"), bucket: bucket(), path }
    }

    /// The settings for access to the object store.
    ///
    /// # Panics
    /// Panics if the object store has no address.
    #[must_use]
    pub fn environment() -> BTreeMap<String, String> {
        let names = ["BACKSCROLL_OBJECT_STORE_URL", "BACKSCROLL_OBJECT_STORE_ACCESS_KEY", "BACKSCROLL_OBJECT_STORE_SECRET_KEY"];
        names.map(|name| (name.to_owned(), address(name))).into()
    }

    /// Puts an object into the folder.
    ///
    /// # Panics
    /// Panics if the object store does not accept the object.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) {
        self.bucket.put(&self.path.clone().join(name), bytes.into()).await.expect("the object store accepts the object");
    }

    /// The objects of the folder, by name.
    ///
    /// # Panics
    /// Panics if an object cannot be read.
    pub async fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let listed = self.bucket.list(Some(&self.path)).try_collect::<Vec<_>>().await.expect("a list of objects");
        let mut objects = BTreeMap::new();
        for object in listed {
            let bytes = async { self.bucket.get(&object.location).await?.bytes().await };
            let name = object.location.filename().unwrap_or_default().to_owned();
            objects.insert(name, bytes.await.expect("an object").into());
        }
        objects
    }

    /// The objects of the folder as texts, by name.
    ///
    /// # Panics
    /// Panics if an object cannot be read.
    pub async fn texts(&self) -> BTreeMap<String, String> {
        let objects = self.objects().await.into_iter();
        objects.map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned())).collect()
    }
}

fn bucket() -> Arc<dyn ObjectStore> {
    let key = (address("BACKSCROLL_OBJECT_STORE_ACCESS_KEY"), address("BACKSCROLL_OBJECT_STORE_SECRET_KEY").into());
    let url = Some(address("BACKSCROLL_OBJECT_STORE_URL"));
    let settings = ObjectStoreSettings { url, region: "us-east-1".into(), key: Some(key), ca_file: None };
    stores::objects::bucket(&settings, BUCKET).expect("a client of the object store")
}

impl Drop for ObjectFolder {
    fn drop(&mut self) {
        let path = self.path.clone();
        let emptied = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let bucket = bucket();
            let objects = bucket.list(Some(&path)).map_ok(|object| object.location).boxed();
            let deleted = bucket.delete_stream(objects).try_collect::<Vec<_>>();
            runtime.block_on(deleted).map_err(std::io::Error::other)
        });
        // A failed test must not fail a second time because its folder could not be emptied.
        let _ = emptied.join();
    }
}
