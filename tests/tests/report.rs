//! The page of an archive in a real browser: it opens from a file, asks for nothing, complains of nothing, can be used
//! by keyboard alone and be read in every light. Pictures of it are left in `target/tmp/report`.

use std::fs;
use std::path::{Path, PathBuf};

use periscope_report::MAX_PAGE_BYTES;
use periscope_tests::{Browser, SampleReport};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

/// What a node that is held by somebody else would put into names and logs.
const HOSTILE: &str =
    "</script></style><script>hacked=1</script><img src=x onerror=hacked=1>\"'--><svg onload=hacked=1>\u{202e}&lt;";

struct Setup {
    // Ends first: what it still writes would keep its folder from being removed.
    browser: Browser,
    folder: TempDir,
}

fn setup() -> Setup {
    let folder = TempDir::new().expect("a folder");
    let browser = Browser::start(&folder.path().join("profile"));
    Setup { browser, folder }
}

impl Setup {
    fn open(&mut self, sample: &SampleReport) -> PathBuf {
        let page = sample.page();
        assert!(page.len() < MAX_PAGE_BYTES, "{}", page.len());
        let file = self.folder.path().join("index.html");
        fs::write(&file, page).expect("the page can be written");
        self.browser.open(&file);
        file
    }

    fn text(&mut self, expression: &str) -> String {
        let value = self.browser.evaluate(expression);
        value.as_str().expect(expression).to_owned()
    }

    fn number(&mut self, expression: &str) -> u64 {
        let value = self.browser.evaluate(expression);
        value.as_u64().expect(expression)
    }

    /// Waits until an expression is true: a search starts only when typing has stopped.
    fn wait_for(&mut self, expression: &str) {
        let script = format!(
            "new Promise((yes, no) => {{ const end = performance.now() + 20000; const look = () => ({expression}) ? yes(true) \
             : performance.now() > end ? no(new Error('never true')) : setTimeout(look, 20); look(); }})"
        );
        assert_eq!(self.browser.evaluate(&script), Value::Bool(true));
    }

    fn assert_quiet(&self, file: &Path) {
        assert_eq!(self.browser.complaints(), Vec::<String>::new());
        assert_eq!(self.browser.requests(), [format!("file://{}", file.display())]);
    }
}

#[rstest]
#[case::healthy("healthy", &SampleReport::healthy())]
#[case::ill("ill", &SampleReport::ill())]
#[case::swamped("swamped", &SampleReport::swamped())]
#[case::hostile("hostile", &SampleReport::hostile(HOSTILE))]
fn a_page_is_quiet_fits_in_and_can_be_read_in_every_light(#[case] name: &str, #[case] sample: &SampleReport) {
    let mut setup = setup();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&pictures).unwrap();
    for (width, height) in [(1280, 900), (390, 844)] {
        for scheme in ["light", "dark"] {
            setup.browser.look(width, height, scheme);
            let file = setup.open(sample);
            setup
                .browser
                .screenshot(&pictures.join(format!("{name}-{scheme}-{width}.png")));
            setup.assert_quiet(&file);
            let wide = setup.number("document.documentElement.scrollWidth");
            assert!(wide <= u64::from(width), "{name} is {wide} wide in {width}");
            let pale = setup.text(PALE_TEXTS);
            assert_eq!(pale, "", "{name}, {scheme}, {width}");
        }
    }
}

#[test]
fn a_pale_text_would_be_found() {
    let mut setup = setup();
    setup.open(&SampleReport::ill());
    let pale = "document.documentElement.style.setProperty('--muted', '#999')";
    setup.browser.evaluate(pale);
    assert!(setup.text(PALE_TEXTS).contains("muted: 2."));
}

/// The texts whose contrast with what is behind them is less than 4.5 (WCAG 2.2, 1.4.3), as far as they are seen.
const PALE_TEXTS: &str = r"
(() => {
  document.querySelectorAll('details').forEach((fold, at) => { if (at < 60) fold.open = true; });
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return { channels: [r, g, b], opacity: a / 255 };
  };
  const luminance = ({ channels }) => channels.map((channel) => channel / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.opacity > 0.99) return colour;
    }
    return rgb('white');
  };
  const pale = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let seen = 0; walker.nextNode() && seen < 4000; seen += 1) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('svg, script, noscript') || !element.checkVisibility()) continue;
    const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.add(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...pale].join('\n');
})()";

#[test]
fn hostile_text_stays_text() {
    let mut setup = setup();
    setup.open(&SampleReport::hostile(HOSTILE));
    assert_eq!(setup.text("typeof hacked"), "undefined");
    assert_eq!(
        setup.number("document.querySelectorAll('img, iframe, object, embed, style ~ style').length"),
        0
    );
    // The page's own, and the two that hold data.
    assert_eq!(setup.number("document.scripts.length"), 3);
    let strange = "[...document.querySelectorAll('a')].map((a) => a.getAttribute('href'))\
                   .filter((href) => !/^(#|\\.\\/)/.test(href) || /\\.\\.\\//.test(href)).join(' ')";
    assert_eq!(setup.text(strange), "");
    assert!(
        setup
            .text("document.querySelector('.title').textContent")
            .contains("<script>hacked=1")
    );
    assert!(
        setup
            .text("document.querySelector('.entries .said').textContent")
            .contains("<img src=x")
    );
}

#[test]
fn the_gravest_group_is_on_the_first_screen_with_its_evidence() {
    let mut setup = setup();
    setup.browser.look(1280, 900, "light");
    setup.open(&SampleReport::ill());
    let first = "document.querySelector('.finding')";
    assert!(
        setup
            .text(&format!("{first}.querySelector('.title').textContent"))
            .starts_with("Disk / is 96 % full")
    );
    assert_eq!(setup.browser.evaluate(&format!("{first}.open")), Value::Bool(true));
    let evidence = format!("{first}.querySelector('.evidence pre').getBoundingClientRect().bottom < innerHeight");
    assert_eq!(setup.browser.evaluate(&evidence), Value::Bool(true));
    assert_eq!(
        setup.number("document.querySelectorAll('.group:first-child .effects .finding').length"),
        3
    );
}

#[test]
fn everything_is_reached_by_the_tab_key_in_the_order_of_the_page_and_shows_it() {
    let mut setup = setup();
    setup.browser.look(1280, 900, "light");
    setup.open(&SampleReport::ill());
    let state = "(() => { const e = document.activeElement; if (e === document.body) return 'end';\
                 const all = [...document.querySelectorAll('*')]; const at = all.indexOf(e);\
                 const ring = getComputedStyle(e).outlineStyle !== 'none';\
                 const name = (e.getAttribute('aria-label') || e.textContent || '').trim();\
                 const forward = at > (window.last ?? -1); window.last = at;\
                 return forward && ring && name ? 'fine' : e.outerHTML.slice(0, 200); })()";
    let mut reached = 0;
    loop {
        setup.browser.press("Tab");
        match setup.text(state).as_str() {
            "fine" => reached += 1,
            "end" => break,
            other => panic!("after {reached}: {other}"),
        }
        assert!(reached < 500);
    }
    // Links, folds, tools, lines and items.
    assert!(reached > 100, "{reached}");
}

#[test]
fn keys_unfold_findings_and_search_them() {
    let mut setup = setup();
    setup.open(&SampleReport::swamped());
    setup
        .browser
        .evaluate("document.querySelectorAll('.finding > summary')[1].focus()");
    setup.browser.press("Enter");
    let second = "document.querySelectorAll('.finding')[1]";
    assert_eq!(setup.browser.evaluate(&format!("{second}.open")), Value::Bool(true));
    setup
        .browser
        .evaluate("document.querySelector('#findings-tools input').focus()");
    setup.browser.type_text("probe app-301");
    let shown = "document.querySelectorAll('.finding:not([hidden])').length";
    setup.wait_for(&format!("{shown} === 1"));
    assert_eq!(
        setup.text("document.querySelector('.finding:not([hidden]) .title').checkVisibility() ? 'seen' : 'hidden'"),
        "seen"
    );
}

#[test]
fn keys_walk_and_zoom_the_timeline() {
    let mut setup = setup();
    setup.open(&SampleReport::ill());
    let said = "document.querySelector('#timeline-app [role=status]').textContent";
    let title = "document.querySelector('#timeline-lines-title').textContent";
    let whole = setup.text(title);
    setup.browser.evaluate("document.querySelector('.plot').focus()");
    setup.browser.press("ArrowRight");
    let first = setup.text(said);
    assert!(first.contains(", all sources: ") && first.contains("error"), "{first}");
    setup.browser.press("ArrowRight");
    assert_ne!(setup.text(said), first);
    setup.browser.press("ArrowDown");
    assert!(!setup.text(said).contains("all sources"));
    setup.browser.press("+");
    let zoomed = setup.text(title);
    assert_ne!(zoomed, whole);
    setup.browser.press("End");
    setup.browser.press("Enter");
    assert_eq!(setup.text("document.activeElement.id"), "timeline-lines-title");
    assert!(setup.text(title).starts_with("2026-"));
    setup.browser.evaluate("document.querySelector('.plot').focus()");
    setup.browser.press("Escape");
    setup.browser.press("0");
    assert_eq!(setup.text(title), whole);
}

#[test]
fn the_mouse_zooms_the_timeline_and_lists_a_bar() {
    let mut setup = setup();
    setup.browser.look(1280, 900, "light");
    setup.open(&SampleReport::ill());
    let title = "document.querySelector('#timeline-lines-title').textContent";
    let whole = setup.text(title);
    setup
        .browser
        .evaluate("document.querySelector('.plot').scrollIntoView({ block: 'center' })");
    let edge = |setup: &mut Setup, side: &str| {
        let place = format!("document.querySelector('.plot').getBoundingClientRect().{side}");
        setup.browser.evaluate(&place).as_f64().unwrap()
    };
    let (left, top, right) = (
        edge(&mut setup, "left"),
        edge(&mut setup, "top"),
        edge(&mut setup, "right"),
    );
    // The last bar of the first lane stands at the right edge.
    setup.browser.mouse("mousePressed", right - 5.0, top + 60.0);
    setup.browser.mouse("mouseReleased", right - 5.0, top + 60.0);
    assert!(setup.text(title).starts_with("2026-"), "{}", setup.text(title));
    assert_eq!(
        setup.text("document.querySelector('.tip').hidden ? 'hidden' : 'seen'"),
        "seen"
    );
    setup.browser.press("Escape");
    for (kind, x) in [
        ("mousePressed", left + 300.0),
        ("mouseMoved", left + 700.0),
        ("mouseReleased", left + 700.0),
    ] {
        setup.browser.mouse(kind, x, top + 60.0);
    }
    let part = setup.text(title);
    assert!(part.starts_with("In view") && part != whole, "{part}");
}

#[test]
fn sources_and_levels_are_filtered() {
    let mut setup = setup();
    setup.open(&SampleReport::ill());
    let lanes = "document.querySelectorAll('.lane-name').length";
    let all = setup.number(lanes);
    setup
        .browser
        .evaluate("document.querySelector('[aria-label=Sources] button').click()");
    assert_eq!(setup.number(lanes), all - 1);
    assert!(setup.number("document.querySelectorAll('.entries .level.error').length") > 0);
    setup
        .browser
        .evaluate("document.querySelector('[aria-label=Levels] button').click()");
    assert_eq!(
        setup.number("document.querySelectorAll('.entries .level.error').length"),
        0
    );
}

#[test]
fn items_are_searched_and_chosen_by_state() {
    let mut setup = setup();
    setup.open(&SampleReport::ill());
    let told = "document.querySelector('.items-tools [role=status]').textContent";
    assert_eq!(setup.text(told), "840 items");
    setup.browser.evaluate(
        "[...document.querySelectorAll('#states button')].find((b) => b.textContent.includes('denied')).click()",
    );
    let denied = setup.text(told);
    assert!(denied.ends_with(" of 840 items"), "{denied}");
    let states = "[...new Set([...document.querySelectorAll('#items-rows .state')].map((e) => e.textContent))].join()";
    assert_eq!(setup.text(states), "denied");
    setup
        .browser
        .evaluate("document.querySelector('#items-app input').focus()");
    setup.browser.type_text("no such words");
    setup.wait_for("document.querySelectorAll('#items-rows tr').length === 0");
    assert_eq!(setup.text(told), "0 of 840 items");
}

/// The parts of strips whose contrast with the ground is less than 3 (WCAG 2.2, 1.4.11).
const PALE_STRIPS: &str = r"
(() => {
  const luminance = (colour) => colour.match(/\d+/g).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = luminance(getComputedStyle(document.body).backgroundColor);
  const parts = [...document.querySelectorAll('svg.strip > *, svg.key.up, svg.key.down, svg.key.gap')];
  const pale = parts.filter((part) => {
    const own = luminance(getComputedStyle(part).fill);
    return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05) < 3;
  });
  return pale.map((part) => part.classList.value).join();
})()";

#[test]
fn the_day_before_the_run_is_a_strip_for_each_target() {
    let mut setup = setup();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&pictures).unwrap();
    for (width, height) in [(1280, 900), (390, 844)] {
        for scheme in ["light", "dark"] {
            setup.browser.look(width, height, scheme);
            setup.open(&SampleReport::ill());
            setup
                .browser
                .evaluate("document.querySelector('svg.strip').scrollIntoView({ block: 'center' })");
            setup
                .browser
                .screenshot(&pictures.join(format!("samples-{scheme}-{width}.png")));
            assert_eq!(setup.text(PALE_STRIPS), "", "{scheme}");
        }
    }
    // What is down is told by height and in words too, not by colour alone, and stands first.
    let heights = "['up', 'down'].map((c) => document.querySelector(`svg.strip .${c}`).getBBox().height).join()";
    assert_eq!(setup.text(heights), "5,10");
    assert_eq!(setup.number("document.querySelectorAll('svg.strip').length"), 2);
    let first = setup.text("document.querySelector('tr:has(svg.strip)').textContent");
    assert!(first.starts_with("Microsoft Entra ID: example.com:443"), "{first}");
    assert!(first.contains("down 2 times, 52 min 55 s"), "{first}");
}

#[test]
fn without_scripts_the_findings_are_read() {
    let mut setup = setup();
    setup.browser.call(
        "Emulation.setScriptExecutionDisabled",
        &serde_json::json!({"value": true}),
    );
    let file = setup.open(&SampleReport::ill());
    setup.assert_quiet(&file);
    let document = setup.browser.call("DOM.getDocument", &serde_json::json!({}));
    let root = &document["root"]["nodeId"];
    let selector = |css: &str| serde_json::json!({"nodeId": root, "selector": css});
    for css in [
        "details.finding[open] pre",
        "#timeline noscript p",
        "#items noscript p",
        ".chart table",
    ] {
        let found = setup.browser.call("DOM.querySelector", &selector(css));
        assert_ne!(found["nodeId"], 0, "{css}");
    }
}

#[test]
fn links_lead_to_files_whatever_they_are_called() {
    let mut setup = setup();
    let name = "nodes/a b#c?d%41&e='f'\"/{é}.log";
    let target = setup.folder.path().join(name);
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(&target, "first\nno space left on device\n").unwrap();
    let mut sample = SampleReport::ill();
    sample.findings[0].evidence[0].file = name.to_owned();
    sample.findings[0].evidence[0].quote = "no space left on device".to_owned();
    sample.timeline.entries.last_mut().unwrap().file = name.parse().unwrap();
    sample.manifest.items[0].path = name.parse().unwrap();
    for link in [".evidence a", "a.where", "#items-rows a"] {
        setup.open(&sample);
        let location = setup.text(&format!("document.querySelector('{link}').href"));
        setup
            .browser
            .call("Page.navigate", &serde_json::json!({"url": location}));
        setup.wait_for("document.body && document.body.textContent.includes('no space left')");
    }
}
