//! Bad days of a card beside a processor, each with an account of its own. Both only count.

use super::*;

const CARD: Device = Device::Cuda(0);

/// A bench over a machine with a card.
fn with_card(text: &str, (ram, vram): (u64, u64), more: impl FnOnce(Host) -> Host) -> Bench {
    let card = SimDevice::new(1000).standing_for(CARD);
    let bench = Bench::with(text, card, |host| more(host.with_device(CARD)));
    let ledger = Ledger::of([(Device::Cpu, ram), (CARD, vram)]);
    Bench { engine: Engine { ledger, ..bench.engine }, ..bench }
}

/// The same, which may fall back to its processor.
fn with_card_or_not(text: &str, (ram, vram): (u64, u64)) -> (Bench, SimDevice) {
    let processor = SimDevice::new(ram);
    let other = Host::new(Files::default()).with_numerics("cpu").with(processor.clone());
    (with_card(text, (ram, vram), |host| host.with_fallback(other)), processor)
}

#[test]
fn row_45_memory_that_runs_out_on_a_card_is_freed_there_and_nowhere_else() {
    let text = CHAIN.replace(
        "nodes: {",
        r#"nodes: {
        "red":  (type: "ink", colour: "red", bytes: 300),
        "blue": (type: "ink", colour: "blue", bytes: 300, card: 1),
        "leaf": (type: "grow"),
        "seen": (type: "stamp", ink: (from: "red"), leaf: (from: "leaf")),
        "also": (type: "stamp", ink: (from: "blue"), leaf: (from: "leaf")),"#,
    );
    let bench = with_card(&text, (1000, 1000), |host| host);
    bench.run_to("seen", Fresh::No, &()).expect("red ink fits");
    bench.run_to("also", Fresh::No, &()).expect("blue ink fits");
    assert_eq!((bench.engine.ledger().used(), bench.engine.ledger().used_on(CARD)), (300, 300));
    bench.order("second", 4, 2);
    let report = bench.run().expect("two strips fit");
    assert_eq!(eased(&report), ["second: ran out of memory: developed in 2 strips instead"]);
    assert_eq!(leaf(&report), bench.undisturbed("third"));
    let sitting: Vec<_> = bench.engine.ledger().sitting().into_iter().map(|part| part.title).collect();
    assert_eq!(sitting, ["red ink"], "blue ink was on the card, and idle");
    let again = bench.run_to("seen", Fresh::No, &()).expect("it is there");
    assert!(again.nodes.iter().all(|node| node.how != Some(How::Ran)), "results were not let go: {:?}", again.nodes);
}

#[test]
fn row_45_a_card_that_stays_too_small_says_so_and_how_to_give_it_more() {
    let bench = with_card(CHAIN, (1000, 1000), |host| host);
    bench.order("second", 3, 6);
    let faults = bench.run().expect_err("five rungs and one more try are not enough");
    assert!(faults.0[0].fault.hint.as_deref().is_some_and(|hint| hint.contains("--vram")), "{faults}");
    let bench = with_card(CHAIN, (1000, 100), |host| host);
    let report = bench.run().expect("two strips of 128 bytes do not fit, four do");
    let told = "second: ran out of memory (needs 256 B, 100 B free on cuda:0): developed in 4 strips instead";
    assert!(eased(&report).contains(&told.to_owned()), "{:?}", report.eased);
    assert!(bench.engine.ledger().peak_on(CARD) <= 100 && bench.engine.ledger().peak() == 0);
    let bench = with_card(CHAIN, (1000, 7), |host| host);
    let faults = bench.run().expect_err("no tile fits");
    assert!(faults.to_string().contains("on cuda:0; tried: "), "{faults}");
    assert!(faults.0[0].fault.hint.as_deref().is_some_and(|hint| hint.contains("--vram")), "{faults}");
}

#[test]
fn row_45_the_last_rung_of_a_card_is_the_processor_where_that_is_allowed() {
    let (bench, processor) = with_card_or_not(CHAIN, (1000, 1000));
    bench.order("second", 3, 6);
    let report = bench.run().expect("the processor has the memory");
    assert_eq!(eased(&report), ["second: ran out of memory: went on with cpu instead"]);
    assert_eq!(leaf(&report), bench.undisturbed("third"), "no tile was left of the way down");
    assert_eq!((processor.steps_done(), bench.engine.ledger().used_on(CARD)), (14, 0));
    // The card is there: the next run is made on it.
    assert_eq!((bench.engine.host().device(), bench.engine.ledger().budget_on(CARD)), (CARD, 1000));
    let again = bench.run_to("third", Fresh::Yes, &()).expect("the trouble is over");
    assert_eq!((eased(&again).len(), processor.steps_done()), (0, 14));
    // What fits on neither is told of the last.
    let (bench, processor) = with_card_or_not(CHAIN, (100, 1000));
    bench.order("second", 3, 6);
    processor.order(Trouble::Oom { node: "second".to_owned(), step: 2, times: 9 });
    let faults = bench.run().expect_err("neither has the memory");
    assert!(faults.0[0].fault.hint.as_deref().is_some_and(|hint| hint.contains("--ram")), "{faults}");
    assert_eq!((bench.engine.ledger().used(), bench.engine.ledger().used_on(CARD)), (0, 0));
}

#[test]
fn row_47_the_account_of_a_card_that_goes_is_emptied_and_the_run_goes_on_in_memory() {
    let (bench, processor) = with_card_or_not(CHAIN, (1000, 1000));
    bench.device.order(Trouble::Lost { node: "second".to_owned(), step: 3 });
    let report = bench.run().expect("the processor is there");
    assert_eq!(leaf(&report), bench.undisturbed("third"));
    assert_eq!(eased(&report), ["second: the device is gone: went on with cpu instead"]);
    assert_eq!((bench.device.steps_done(), processor.steps_done()), (4 + 3, 14));
    let ledger = bench.engine.ledger();
    assert_eq!((ledger.budget_on(CARD), ledger.used_on(CARD)), (0, 0));
    assert!(ledger.peak() > 0, "what came later was booked in memory");
    assert!(Ledger::reserve(ledger, CARD, 1).is_err());
}
