
use crate::formats::{entry, header, pax};
use crate::support::{Layer, gzip};
#[test]
fn seedgen() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let write = |dir: &str, name: &str, bytes: &[u8]| std::fs::write(root.join(dir).join(name), bytes).expect("w");
    let tar = Layer::of(&[
        ("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
        ("var/lib/dpkg/status", b"Package: a\nStatus: install ok installed\nVersion: 1:2-3\nSource: s (2-1)\n\n"),
        ("node_modules/.wh.x", b""), ("opt/.wh..wh..opq", b""),
    ]).link("etc/link", "etc/os-release").directory("etc/x").symlink("lib", "usr/lib").tar();
    write("layers", "tar", &tar);
    write("layers", "gzip", &gzip(&tar));
    write("layers", "gzip-members", &[gzip(&tar[..512]), gzip(&tar[512..])].concat());
    write("layers", "zstd", &zstd::encode_all(&tar[..], 3).expect("z"));
    let long = Layer::of(&[(&format!("{}/os-release", "etc/".repeat(60)), b"x")]).tar();
    write("layers", "gnu-long-name", &long);
    write("layers", "pax", &[pax(&[("path", "etc/os-release"), ("size", "5")]), entry(b"x", b'0', b"ID=a\n")].concat());
    write("layers", "pax-huge", &header(b"x", b'x', "07777777777"));
    write("layers", "sparse", &{ let mut h = header(b"bin/x", b'S', "00000001000"); h[482] = 1; crate::formats::seal(&mut h); [&h[..], &[0; 512], &[1; 512]].concat() });
    write("layers", "link-to-itself", &Layer::new().link("etc/os-release", "etc/os-release").tar());
    write("layers", "parents", &entry(b"../../a/../etc/os-release", b'0', b"ID=a\n"));
    write("layers", "cut", &tar[..700]);
    for (at, (number, content)) in crate::properties::good_evidence().into_iter().enumerate() {
        let path = crate::fuzz::evidence::PATHS[usize::from(number)];
        let name = format!("{}-{at}", path.rsplit('/').next().unwrap_or_default());
        write("evidence", &name, &[&[number][..], &content].concat());
    }
    for (number, name, text) in [
        (0, "os-release", "ID=\"debian\"\nVERSION_ID='12'\nID_LIKE=\"a b\"\n"),
        (1, "repositories", "https://m/alpine/v3.20/main\n"),
        (3, "status-part", "Package: a\nVersion: 1\n"),
        (4, "list", "/.\n/usr/bin/x\n"),
        (5, "md5sums", "0  usr/bin/x\n"),
        (14, "composer-lock", "{\"packages\":[{\"name\":\"a/b\",\"version\":\"1\"}]}"),
    ] {
        write("evidence", name, &[&[number][..], text.as_bytes()].concat());
    }
}
