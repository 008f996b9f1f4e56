//! The committed reference page says what the table says. `BLESS=1` writes it anew.
use std::fs;
use std::path::Path;

#[test]
fn reference_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference/configs.md");
    let page = millrace_cluster::config::reference_page();
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a parent")).expect("create broker/reference");
        fs::write(&path, &page).expect("write the page");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "broker/reference/configs.md is stale: run BLESS=1 cargo test -p millrace-cluster reference");
}
