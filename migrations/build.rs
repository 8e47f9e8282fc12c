//! The migrations are embedded: a new one must cause a new build of this crate.
fn main() {
    println!("cargo:rerun-if-changed=postgres");
}
