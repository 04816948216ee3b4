//! Links the C library, which starts `main` and provides `abort`.
fn main() {
    println!("cargo::rustc-link-lib=c");
}
