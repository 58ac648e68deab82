//! The shared object's entry points, called as Fluent Bit calls them.
#![cfg(unix)]

use std::ffi::CString;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use poseur_tagger::Style;
use poseur_tests::conformance::check;
use poseur_tests::fluent_bit::{Filter, log, turn};
use poseur_tests::msgpack::{TIMES, packed, unpacked};
use poseur_tests::tagging::{compile, styled};
use poseur_tests::traffic::{Config, Kind, Shape, generate_bytes};

const MATCHING: &str = r#"{"CreationTime":"2026-11-20T08:00:00","Operation":"ChatCreated","RecordType":25,"Workload":"MicrosoftTeams","UserId":"helpdesk@fabrikam.example","CommunicationType":"OneOnOne","ParticipantInfo":{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false}}"#;

const OTHER: &str = r#"{"Operation":"MessageSent","Workload":"MicrosoftTeams"}"#;

const RULE: &str = "title: Sent\nid: aaaaaaaa-0000-4000-8000-000000000001\n\
logsource: {category: test}\ndetection:\n  sent: {event.action: MessageSent}\n  condition: sent\n";

/// An instance of the filter in the shared object; `None` if it does not begin.
fn filter(properties: &[(&str, &str)]) -> Option<Filter> {
    let test = std::env::current_exe().expect("a running program has a file");
    let path = test.with_file_name("libposeur_fluent_bit.so");
    let path = CString::new(path.to_str().expect("UTF-8")).unwrap();
    // SAFETY: the library runs nothing when it is loaded, and is never unloaded.
    let symbol = unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL);
        assert!(!library.is_null(), "{path:?} cannot be loaded");
        libc::dlsym(library, c"filter_poseur_plugin".as_ptr())
    };
    assert!(!symbol.is_null(), "no filter_poseur_plugin");
    // SAFETY: the symbol is the plugin's description.
    unsafe { Filter::new(symbol.cast(), properties) }
}

fn event(json: &str) -> Vec<u8> {
    [TIMES[0], &packed(json.as_bytes()).unwrap()].concat()
}

/// The record of the only event in a chunk, as JSON.
fn record(chunk: &[u8]) -> String {
    let map = chunk.strip_prefix(TIMES[0]).expect("the time is as it was");
    String::from_utf8(unpacked(map)).unwrap()
}

#[test]
fn a_chunk_is_tagged_or_left_alone() {
    let _turn = turn();
    let mut filter = filter(&[]).unwrap();
    assert_eq!(
        log(),
        ["info [filter:poseur] 2 rule(s) and 0 exception(s) in force"]
    );
    let (matching, other) = (event(MATCHING), event(OTHER));
    let tagged = filter.filter(&matching).unwrap();
    assert!(record(&tagged).contains(r#","poseur":{"rules":["e8e7b6b6-"#));
    let marker = b"\x92\x92\xD7\x00\xFF\xFF\xFF\xFF\x00\x00\x00\x00\x80\x80";
    let chunk = [&marker[..], &other, &matching, &other].concat();
    let expected = [&marker[..], &other, &tagged, &other].concat();
    assert_eq!(filter.filter(&chunk), Some(expected));
    // Nothing to tag, or nothing that can be taken apart.
    let broken = [&matching[..], b"\xC1"].concat();
    let cut = &matching[..matching.len() - 1];
    for chunk in [&other[..], b"", marker, &broken, cut, b"ChatCreated"] {
        assert_eq!(filter.filter(chunk), None, "{chunk:x?}");
    }
    assert_eq!(log(), [""; 0]);
}

#[test]
fn several_instances_have_their_own_settings() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yml");
    fs::write(&rules, RULE).unwrap();
    let rules = rules.to_str().unwrap();
    let mut own = filter(&[("rules", rules), ("key", "seen"), ("style", "minimal")]).unwrap();
    let mut built_in = filter(&[("schema", "o365")]).unwrap();
    let id = "aaaaaaaa-0000-4000-8000-000000000001";
    let expected = format!(r#","seen":{{"rules":["{id}"]}}}}"#);
    let tagged = own.filter(&event(OTHER)).unwrap();
    assert!(record(&tagged).ends_with(&expected), "{}", record(&tagged));
    assert_eq!(own.filter(&event(MATCHING)), None);
    assert_eq!(built_in.filter(&event(OTHER)), None);
    assert!(built_in.filter(&event(MATCHING)).is_some());
}

#[test]
fn wrong_settings_fail_the_start_and_say_why() {
    let _turn = turn();
    for (properties, message) in [
        (
            &[("style", "loud")][..],
            "error [filter:poseur] `style loud`: expected namespace, ecs or minimal",
        ),
        (
            &[("rules", "/no/such.yml")],
            "error [filter:poseur] /no/such.yml: cannot be read (No such file or directory",
        ),
        (
            &[("schema", "none")],
            "error [filter:poseur] --schema: there is no schema `none`; known are auto, ",
        ),
    ] {
        assert!(filter(properties).is_none(), "{properties:?}");
        let log = log();
        assert!(log[0].starts_with(message), "{log:?}");
    }
}

#[test]
fn changed_files_are_read_again_and_bad_ones_are_not_used() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yml");
    let built_in = "title: None\nid: aaaaaaaa-0000-4000-8000-000000000002\n\
        logsource: {category: test}\ndetection:\n  one: {event.action: Nothing}\n  condition: one\n";
    fs::write(&rules, built_in).unwrap();
    let path = rules.to_str().unwrap();
    let mut watching = filter(&[("rules", path)]).unwrap();
    let mut resting = filter(&[("rules", path), ("on_reload", "ignore")]).unwrap();
    log();
    let pause = || sleep(Duration::from_millis(1100));
    assert_eq!(watching.filter(&event(OTHER)), None);
    fs::write(&rules, RULE).unwrap();
    pause();
    assert!(watching.filter(&event(OTHER)).is_some());
    assert_eq!(resting.filter(&event(OTHER)), None);
    assert_eq!(
        log(),
        [
            "info [filter:poseur] rules and exceptions have changed and were read again",
            "info [filter:poseur] 1 rule(s) and 0 exception(s) in force"
        ]
    );
    fs::write(&rules, "title: [").unwrap();
    pause();
    assert!(watching.filter(&event(OTHER)).is_some());
    let told = log();
    let last = "error [filter:poseur] the changed rules or exceptions are not used: the old ones stay in force";
    assert!(told[0].starts_with("error [filter:poseur] ") && told[0].contains("rules.yml:"));
    assert_eq!(told.last().map(String::as_str), Some(last));
    // Told once.
    pause();
    assert!(watching.filter(&event(OTHER)).is_some());
    assert_eq!(log(), [""; 0]);
    fs::write(&rules, RULE).unwrap();
    pause();
    assert!(watching.filter(&event(OTHER)).is_some());
    assert_eq!(log().len(), 2);
}

/// Generated records of every shape, as the tagger tags them as lines.
#[test]
fn agrees_with_lines_on_all_shapes() {
    let _turn = turn();
    let mut matched = 0;
    for kind in [Kind::Mixed, Kind::MessageEvents] {
        let mut config = Config::new(kind, Shape::All);
        config.at = Timestamp::now().as_second();
        config.candidate_rate = (kind == Kind::Mixed).then_some(0.3);
        config.match_rate = 0.1;
        let (lines, _) = generate_bytes(config, 4_000_000);
        let matcher = compile(poseur_rule::pack::built_in(), Vec::new());
        for (style, name) in [
            (Style::Namespace, "namespace"),
            (Style::Ecs, "ecs"),
            (Style::Minimal, "minimal"),
        ] {
            let mut tagger = styled(matcher.clone(), style);
            let mut filter = filter(&[("style", name)]).unwrap();
            let (mut chunk, mut expected) = (Vec::new(), Vec::new());
            for line in lines.split(|byte| *byte == b'\n') {
                // Top-level lists are no records in MessagePack.
                let Some(map) = packed(line) else { continue };
                let line = unpacked(&map);
                let tagged = tagger.tag(&line, Timestamp::now()).to_vec();
                matched += u64::from(tagged != line);
                chunk.extend([TIMES[1], &map].concat());
                expected.extend([TIMES[1], &packed(&tagged).unwrap()].concat());
            }
            assert_eq!(filter.filter(&chunk).unwrap(), expected, "{name}");
        }
    }
    assert!(matched > 500, "{matched}");
}

#[test]
fn the_conformance_suite() {
    let _turn = turn();
    let mut filter = filter(&[]).unwrap();
    let (all, tagged) = check(Timestamp::now(), |json| {
        let event = [TIMES[0], &packed(json).unwrap()].concat();
        let tagged = filter.filter(&event).unwrap_or(event);
        unpacked(tagged.strip_prefix(TIMES[0]).expect("the event's time"))
    });
    println!("{tagged} of {all} records tagged");
}

/// What a memory checker watches: thousands of chunks, and rules that change under them.
#[test]
fn many_chunks_and_reloads() {
    let _turn = turn();
    let wanted = |name: &str, usual| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let chunks: usize = wanted("POSEUR_SOAK_CHUNKS", 1000);
    let reloads: usize = wanted("POSEUR_SOAK_RELOADS", 2);
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yml");
    fs::write(&rules, RULE).unwrap();
    let mut filter = filter(&[("rules", rules.to_str().unwrap())]).unwrap();
    let chunk = [event(OTHER), event(MATCHING)].concat();
    let plain = event(MATCHING);
    for number in 0..chunks {
        if number % (chunks / reloads).max(1) == 0 {
            fs::write(&rules, format!("{RULE}# {number}\n")).unwrap();
            sleep(Duration::from_millis(1010));
        }
        assert!(filter.filter(&chunk).is_some());
        assert_eq!(filter.filter(&plain), None);
    }
    let reread = log()
        .iter()
        .filter(|line| line.contains("read again"))
        .count();
    assert!(reread >= reloads, "{reread}");
}
