//! The migrations are embedded: a new one must make the crate compile again.
fn main() {
    println!("cargo:rerun-if-changed=postgres");
}
