use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).expect(name)
}

#[test]
fn formats_as_java() {
    let ms = 1_526_075_913_000; // 2018-05-11T21:58:33Z, a Friday
    let cases = [
        ("yyyy-MM-dd HH:mm:ss", "UTC", "2018-05-11 21:58:33"),
        ("yyyy-MM-dd HH:mm:ss zzz", "America/Los_Angeles", "2018-05-11 14:58:33 PDT"),
        ("yyyy-MM-dd HH:mm:ss zzz", "Europe/London", "2018-05-11 22:58:33 BST"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "UTC", "2018-05-11T21:58:33.000Z"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX VV", "Asia/Kolkata", "2018-05-12T03:28:33+05:30 Asia/Kolkata"),
        ("EEE, d MMM yy h:mm a", "UTC", "Fri, 11 May 18 9:58 PM"),
        ("EEEE MMMM MMMMM G", "UTC", "Friday May M AD"),
        ("DDD D w Q QQQ e", "UTC", "131 131 19 2 Q2 6"),
        ("kk K S SSS A n N", "UTC", "21 9 0 000 79113000 0 79113000000000"),
        ("O OOOO x Z ZZZZ ZZZZZ", "-08:00", "GMT-8 GMT-08:00 -08 -0800 GMT-08:00 -08:00"),
        ("''yyyy'year''s'", "UTC", "'2018year's"),
        ("yyyy[-MM]ppppd", "UTC", "2018-05  11"),
    ];
    for (text, name, expected) in cases {
        let zone = zone(name);
        assert_eq!(pattern(text).format(&Moment::timestamp(ms, &zone)).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(pattern("dd/MM/yyyy").format(&Moment::date(18_027)).as_deref(), Ok("11/05/2019"));
    assert!(pattern("HH").format(&Moment::date(0)).is_err());
    assert!(pattern("yyyy").format(&Moment::time(0)).is_err());
    assert_eq!(pattern("HH:mm[ yyyy]").format(&Moment::time(60_000)).as_deref(), Ok("00:01"));
}

#[test]
fn parses_as_java() {
    let utc = Zone::utc();
    let cases = [
        ("yyyy-MM-dd'T'HH:mm:ssX", "2018-05-11T21:58:33Z", 1_526_075_913_000),
        ("yyyyMMddHHmmss", "20180511215833", 1_526_075_913_000),
        ("yyyy-MM-dd HH:mm:ss zzz", "2018-05-11 14:58:33 PDT", 1_526_075_913_000),
        ("yyyy-MM-dd HH:mm:ss VV", "2018-05-11 14:58:33 America/Los_Angeles", 1_526_075_913_000),
        ("yyyy-MM-dd HH:mm:ss.SSS", "2018-05-11 21:58:33.123", 1_526_075_913_123),
        ("d/M/yy h:mm a", "11/5/18 9:58 pm", 1_526_075_880_000),
        ("yyyy", "2018", 1_514_764_800_000),
        ("yyyy-DDD", "2018-131", 1_525_996_800_000),
        ("yyyy-MM-dd", "2021-02-31", 1_614_470_400_000),
        ("yyyy-MM-dd HH:mm", "2018-05-10 24:00", 1_525_996_800_000),
        ("yyyy-MM-dd[ HH:mm]", "2018-05-11", 1_525_996_800_000),
        ("EEE MMM dd yyyy", "Fri May 11 2018", 1_525_996_800_000),
    ];
    for (text, input, expected) in cases {
        assert_eq!(pattern(text).parse_timestamp(input, &utc), Ok(expected), "{text}: {input}");
    }
    let bad = [
        ("yyyy-MM-dd", "not a date"),
        ("yyyy-MM-dd", "2018-13-01"),
        ("yyyy-MM-dd", "2018-05-11 "),
        ("yyyy-MM-dd", "2018-5-11"),
        ("HH:mm", "25:00"),
        ("EEE yyyy-MM-dd", "Mon 2018-05-11"),
        ("yyyy-MM-dd", ""),
        ("yyyy", "é"),
    ];
    for (text, input) in bad {
        assert!(pattern(text).parse_timestamp(input, &utc).is_err(), "{text}: {input}");
    }
    assert_eq!(pattern("yyyy-MM-dd'Lit'").parse_date("2018-05-11lit"), Ok(17_662));
    assert_eq!(pattern("MMM-yyyy").parse_date("JAN-2022"), Ok(18_993));
    assert_eq!(pattern("HHmm").parse_time("0001"), Ok(60_000));
}

#[test]
fn zones_change_and_gaps_are_crossed() {
    let new_york = zone("America/New_York");
    // 2021-03-14 02:30 does not exist: the clock was put forward at 02:00.
    assert_eq!(pattern("yyyy-MM-dd HH:mm").parse_timestamp("2021-03-14 02:30", &new_york), Ok(1_615_707_000_000));
    // 2021-11-07 01:30 happened twice: the first, in daylight time.
    assert_eq!(pattern("yyyy-MM-dd HH:mm").parse_timestamp("2021-11-07 01:30", &new_york), Ok(1_636_263_000_000));
    assert!(Zone::parse("Mars/Olympus").is_err());
    assert_eq!(zone("GMT+2").offset_seconds(0), 7200);
}

#[test]
fn bad_patterns_are_refused() {
    for text in ["b", "yyyy'", "]", "ddd", "V", "OO", "p", "{", "MMMMMM"] {
        assert!(Pattern::compile(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_formatted_reads_back(ms in -30_000_000_000_000i64..200_000_000_000_000, index in 0usize..3) {
        let zone = zone(["UTC", "America/New_York", "Asia/Kolkata"][index]);
        let pattern = pattern("yyyy-MM-dd'T'HH:mm:ss.SSSXXXXX");
        let text = pattern.format(&Moment::timestamp(ms, &zone)).expect("every field is there");
        prop_assert_eq!(pattern.parse_timestamp(&text, &Zone::utc()), Ok(ms), "{}", text);
    }

    #[test]
    fn nothing_panics(pattern_text in "[GuyYDMLdQqwWEecFahKkHmsSAnNVvzOXxZgp'\\[\\] :,0é-]{0,10}", input in "\\PC{0,16}", ms in any::<i64>()) {
        if let Ok(pattern) = Pattern::compile(&pattern_text) {
            let zone = zone("Europe/London");
            if let Ok(text) = pattern.format(&Moment::timestamp(ms, &zone)) {
                let _ = pattern.parse_timestamp(&text, &zone);
            }
            let _ = pattern.parse_timestamp(&input, &zone);
            let _ = pattern.parse_date(&input);
            let _ = pattern.parse_time(&input);
        }
    }
}
