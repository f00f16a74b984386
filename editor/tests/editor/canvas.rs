//! The view, what is chosen, and how nodes and frames are moved.

use egui::{Key, PointerButton, pos2, vec2};

use crate::room::{ALT, CTRL, NONE, Room, SHIFT, workflow};

/// Three words side by side.
fn three() -> Room {
    Room::new(&workflow(
        r#""a": (type: "word"), "b": (type: "word"), "c": (type: "word")"#,
        r#""a": (at: (0, 0)), "b": (at: (320, 0)), "c": (at: (0, 240))"#,
    ))
}

fn framed() -> Room {
    Room::new(
        r#"(darkroom: 1, nodes: {"a": (type: "word"), "b": (type: "word")}, layout: (
            nodes: {"a": (at: (40, 80)), "b": (at: (480, 80))},
            frames: [(title: "Inks", at: (0, 0), size: (400, 240)), (title: "Hint", text: "stir", at: (0, 320), size: (240, 120))],
        ))"#,
    )
}

#[test]
fn the_wheel_zooms_and_the_point_under_the_hand_stays() {
    let mut room = three();
    room.move_to(room.on(500.0, 400.0));
    let at = room.on(500.0, 400.0);
    room.wheel(2.0);
    let zoom = room.tab().view.camera.zoom;
    assert!(zoom > 1.1, "{zoom}");
    assert!((room.on(500.0, 400.0) - at).length() < 0.5, "{at} became {}", room.on(500.0, 400.0));
    room.wheel(-6.0);
    assert!(room.tab().view.camera.zoom < 0.9);
    assert!((room.on(500.0, 400.0) - at).length() < 0.5);
}

#[test]
fn the_wheel_moves_the_view_where_that_is_wished() {
    let mut room = three();
    room.harness.state_mut().habits_mut().wheel_pans = true;
    room.move_to(room.on(500.0, 400.0));
    let before = room.tab().view.camera;
    room.wheel(-2.0);
    let after = room.tab().view.camera;
    assert_eq!((after.zoom, after.centre.x), (before.zoom, before.centre.x));
    assert!(after.centre.y > before.centre.y + 20.0);
}

#[test]
fn the_middle_button_moves_the_view_and_nothing_else() {
    let mut room = three();
    for from in [room.on(500.0, 400.0), room.head("a")] {
        let before = room.on(0.0, 0.0);
        room.drag_with(PointerButton::Middle, from, from + vec2(90.0, 40.0));
        assert!((room.on(0.0, 0.0) - before - vec2(90.0, 40.0)).length() < 1.0);
    }
    assert_eq!((room.place("a"), room.steps().len()), ((0, 0), 0));
}

#[test]
fn space_and_drag_move_the_view_and_nothing_else() {
    let mut room = three();
    let (from, before) = (room.head("a"), room.on(0.0, 0.0));
    room.move_to(from);
    room.key_down(Key::Space);
    room.drag(from, from + vec2(-60.0, 30.0));
    assert!((room.on(0.0, 0.0) - before - vec2(-60.0, 30.0)).length() < 1.0);
    assert_eq!((room.place("a"), room.chosen().len()), ((0, 0), 0));
}

#[test]
fn a_click_chooses_shift_adds_and_ctrl_toggles() {
    let mut room = three();
    room.click(room.head("a"));
    assert_eq!(room.chosen(), ["a"]);
    room.click_with(SHIFT, room.head("b"));
    assert_eq!(room.chosen(), ["a", "b"]);
    room.click_with(CTRL, room.head("a"));
    assert_eq!(room.chosen(), ["b"]);
    room.click(room.head("c"));
    assert_eq!(room.chosen(), ["c"]);
    room.click(room.on(600.0, 500.0));
    assert_eq!(room.chosen(), [""; 0]);
}

#[test]
fn a_box_chooses_what_it_meets_while_it_is_drawn() {
    let mut room = three();
    room.pull(room.on(-40.0, -40.0), room.on(200.0, 400.0));
    assert_eq!(room.chosen(), ["a", "c"]);
    room.release();
    room.hold(SHIFT);
    room.drag(room.on(600.0, -40.0), room.on(400.0, 20.0));
    assert_eq!(room.chosen(), ["a", "b", "c"]);
    room.hold(CTRL);
    room.drag(room.on(600.0, -40.0), room.on(400.0, 20.0));
    room.hold(NONE);
    assert_eq!(room.chosen(), ["a", "c"]);
}

#[test]
fn escape_gives_a_box_up_and_what_was_chosen_comes_back() {
    let mut room = three();
    room.click(room.head("b"));
    room.pull(room.on(-40.0, -40.0), room.on(200.0, 400.0));
    assert_eq!(room.chosen(), ["a", "c"]);
    room.key(NONE, Key::Escape);
    assert_eq!(room.chosen(), ["b"]);
    room.nudge(vec2(30.0, 30.0));
    room.release();
    assert_eq!(room.chosen(), ["b"]);
}

#[test]
fn nodes_move_along_the_grid_and_with_alt_as_they_like() {
    let mut room = three();
    let from = room.head("a");
    room.drag(from, from + vec2(51.0, 37.0));
    assert_eq!(room.place("a"), (48, 40));
    let from = room.head("a");
    room.pull(from, from + vec2(13.0, 5.0));
    room.hold(ALT);
    room.nudge(vec2(0.0, 6.0));
    room.wait(1);
    room.release();
    room.hold(NONE);
    assert_eq!(room.place("a"), (61, 51));
    assert_eq!(room.steps(), ["move a node", "move a node"]);
}

#[test]
fn nodes_obey_the_step_of_the_grid_that_is_set() {
    let mut room = three();
    for (grid, place) in [(32, (64, 32)), (16, (112, 64)), (0, (163, 103))] {
        room.harness.state_mut().habits_mut().grid = grid;
        let from = room.head("a");
        room.drag(from, from + vec2(51.0, 39.0));
        assert_eq!(room.place("a"), place, "a grid of {grid}");
    }
}

#[test]
fn a_first_look_falls_on_what_can_be_read() {
    let nodes: Vec<_> = (0..6).map(|index| format!(r#""w{index}": (type: "word")"#)).collect();
    let places: Vec<_> = (0..6).map(|index| format!(r#""w{index}": (at: ({}, 0))"#, index * 340)).collect();
    let text = workflow(&nodes.join(", "), &places.join(", "));
    let opened = darkroom_editor::document::Document::read(&text, None).expect("a workflow");
    let mut room = Room::new(&text);
    // Of a document that nobody has looked at yet.
    *room.harness.state_mut().tab_mut() = darkroom_editor::app::Tab::new(room.tab().id, opened.document);
    room.settle();
    let camera = room.tab().view.camera;
    assert!((camera.zoom - 0.8).abs() < 0.01, "{}", camera.zoom);
    let first = room.on(0.0, 0.0).x - room.tab().view.view.expect("it was shown").left();
    assert!((20.0..90.0).contains(&first), "{first}");
}

#[test]
fn everything_that_is_chosen_moves_as_one_step() {
    let mut room = three();
    room.click(room.head("a"));
    room.click_with(SHIFT, room.head("b"));
    let from = room.head("b");
    room.drag(from, from + vec2(80.0, 40.0));
    assert_eq!([room.place("a"), room.place("b"), room.place("c")], [(80, 40), (400, 40), (0, 240)]);
    assert_eq!(room.steps(), ["move 2 nodes"]);
}

#[test]
fn escape_gives_a_move_up() {
    let mut room = three();
    let from = room.head("a");
    room.pull(from, from + vec2(80.0, 40.0));
    room.key(NONE, Key::Escape);
    room.nudge(vec2(20.0, 20.0));
    room.release();
    assert_eq!((room.place("a"), room.steps().len()), ((0, 0), 0));
}

#[test]
fn a_click_that_drifts_moves_nothing() {
    let mut room = Room::new(&workflow(r#""a": (type: "word")"#, r#""a": (at: (3, 5))"#));
    let at = room.head("a");
    room.move_to(at);
    room.press();
    room.nudge(vec2(2.0, 1.0));
    room.nudge(vec2(1.0, 1.0));
    // However long it takes.
    room.wait(90);
    room.release();
    assert_eq!((room.place("a"), room.steps().len()), ((3, 5), 0));
}

#[test]
fn the_view_moves_along_when_a_node_is_carried_to_its_edge() {
    let mut room = three();
    let (from, before) = (room.head("a"), room.tab().view.camera.centre);
    let edge = room.tab().view.view.expect("it was shown").left_center() + vec2(4.0, 0.0);
    room.pull(from, edge);
    room.wait(10);
    room.release();
    assert!(room.tab().view.camera.centre.x < before.x - 40.0);
    assert!(room.place("a").0 < -300, "{:?}", room.place("a"));
}

#[test]
fn a_frame_moves_with_what_is_inside() {
    let mut room = framed();
    let from = room.spot("frame Inks").left_top() + vec2(60.0, 12.0);
    room.drag(from, from + vec2(40.0, 16.0));
    let frame = room.sheet().frames[0].clone();
    assert_eq!((frame.at.x, frame.at.y), (40, 16));
    assert_eq!([room.place("a"), room.place("b")], [(80, 96), (480, 80)]);
    assert_eq!(room.steps().len(), 1);
}

#[test]
fn a_frame_is_resized_at_its_corner() {
    let mut room = framed();
    let corner = room.on(398.0, 238.0);
    room.drag(corner, corner + vec2(80.0, 40.0));
    assert_eq!(room.sheet().frames[0].size, (480, 280));
}

#[test]
fn a_double_click_writes_a_note() {
    let mut room = framed();
    room.click_twice(room.spot("note Hint").left_top() + vec2(80.0, 12.0));
    room.type_in("Mind");
    room.key(NONE, Key::Enter);
    room.click_twice(room.spot("note Mind").center());
    room.key(CTRL, Key::A);
    room.type_in("shake it");
    room.click(room.on(600.0, 500.0));
    let note = room.sheet().frames[1].clone();
    assert_eq!((note.title.as_str(), note.text.as_str()), ("Mind", "shake it"));
    assert_eq!(room.steps(), ["rename a frame", "write a note"]);
}

#[test]
fn a_double_click_on_the_head_of_a_frame_renames_it() {
    let mut room = framed();
    let head = room.spot("frame Inks").left_top() + vec2(60.0, 12.0);
    room.click_twice(head);
    room.type_in("Papers");
    room.key(NONE, Key::Enter);
    assert_eq!(room.sheet().frames[0].title, "Papers");
}

#[test]
fn a_node_is_widened_at_its_corner_and_a_click_there_changes_nothing() {
    let mut room = three();
    let corner = room.spot("node a").right_bottom() - vec2(4.0, 4.0);
    room.click(corner);
    assert_eq!(room.steps().len(), 0);
    room.pull(corner, corner + vec2(64.0, 0.0));
    let width = room.spot("node a").width();
    assert!((width - 312.0).abs() < 9.0, "{width} while it is pulled");
    room.release();
    assert_eq!(room.node("a").width, Some(312));
}

#[test]
fn alt_and_drag_leave_a_copy() {
    let mut room = three();
    room.hold(ALT);
    let from = room.head("a");
    room.drag(from, from + vec2(0.0, 120.0));
    room.hold(NONE);
    assert_eq!((room.place("a"), room.place("a_2")), ((0, 0), (0, 120)));
    assert_eq!(room.chosen(), ["a_2"]);
}

#[test]
fn what_is_chosen_and_everything_are_brought_into_view() {
    let mut room = three();
    room.look(pos2(9000.0, 9000.0), 2.0);
    room.key(NONE, Key::Home);
    assert!(room.sees("node a") && room.sees("node b") && room.sees("node c"));
    room.click(room.head("b"));
    room.look(pos2(-9000.0, 0.0), 1.0);
    room.key(NONE, Key::Period);
    assert!((room.tab().view.camera.centre.x - 444.0).abs() < 20.0);
}

#[test]
fn a_pinned_node_stays() {
    let mut room = three();
    room.click(room.head("a"));
    room.key(NONE, Key::P);
    let from = room.head("a");
    room.drag(from, from + vec2(80.0, 40.0));
    assert_eq!(room.place("a"), (0, 0));
    assert!(room.node("a").pinned);
}

#[test]
fn a_node_of_an_unknown_type_keeps_its_place_and_its_fields() {
    let text = workflow(
        r#""x": (type: "futura", size: 3), "s": (type: "shout", text: (from: "x"))"#,
        r#""x": (at: (0, 0)), "s": (at: (400, 0))"#,
    );
    let mut room = Room::new(&text);
    let from = room.head("x");
    room.drag(from, from + vec2(0.0, 80.0));
    assert_eq!(room.place("x"), (0, 80));
    assert_eq!((room.field("x", "size").as_deref(), room.field("s", "text").as_deref()), (Some("3"), Some("x")));
}

#[test]
fn nothing_is_drawn_again_once_the_hand_rests() {
    let mut room = three();
    let from = room.head("a");
    room.pull(from, from + vec2(50.0, 50.0));
    // A hand that holds something and does not move costs nothing either.
    let rests = |room: &mut Room, what: &str| {
        room.wait(80);
        let delay = room.harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
        assert!(delay.as_secs_f32() > 0.9, "{what}: {delay:?}");
    };
    rests(&mut room, "a node is held");
    room.release();
    rests(&mut room, "a node was moved");
    room.pull(room.socket("output", "text", "a"), room.on(500.0, 500.0));
    rests(&mut room, "a wire is held");
    room.key(NONE, Key::Escape);
    room.release();
    room.key(NONE, Key::Home);
    rests(&mut room, "the camera has landed");
    room.wheel(1.0);
    rests(&mut room, "the wheel was turned");
}

#[test]
fn two_fingers_that_part_zoom_where_they_are() {
    let mut room = three();
    room.move_to(room.on(400.0, 300.0));
    let at = room.on(400.0, 300.0);
    room.frame([egui::Event::Zoom(1.5)]);
    room.settle();
    assert!((room.tab().view.camera.zoom - 1.5).abs() < 0.01);
    assert!((room.on(400.0, 300.0) - at).length() < 0.5);
}

#[test]
fn a_frame_carries_the_notes_and_frames_inside() {
    let mut room = Room::new(
        r#"(darkroom: 1, nodes: {"a": (type: "word")}, layout: (nodes: {"a": (at: (40, 200))},
            frames: [(title: "Out", at: (0, 0), size: (400, 400)), (title: "In", text: "x", at: (40, 60), size: (120, 80))],
        ))"#,
    );
    let from = room.spot("frame Out").left_top() + vec2(60.0, 12.0);
    room.drag(from, from + vec2(40.0, 16.0));
    assert_eq!((room.sheet().frames[1].at.x, room.sheet().frames[1].at.y), (80, 76));
}

#[test]
fn alt_and_drag_leave_a_copy_of_a_frame_and_what_is_inside() {
    let mut room = framed();
    room.hold(ALT);
    let from = room.spot("frame Inks").left_top() + vec2(60.0, 12.0);
    room.drag(from, from + vec2(0.0, 240.0));
    room.hold(NONE);
    assert_eq!((room.sheet().frames.len(), room.place("a"), room.place("a_2")), (3, (40, 80), (40, 320)));
}

#[test]
fn a_click_on_a_picture_chooses_its_node_and_a_drag_moves_it() {
    let mut room = three();
    let image = egui::ColorImage::filled([4, 4], egui::Color32::GRAY);
    let texture = room.harness.ctx.load_texture("a picture", image, egui::TextureOptions::LINEAR);
    let id = room.id("b");
    let thumb = darkroom_editor::status::Thumb { texture, size: (64, 32) };
    room.harness.state_mut().tab_mut().status.nodes.entry(id).or_default().picture = Some(thumb);
    room.settle();
    room.click_on("picture of b");
    assert_eq!(room.chosen(), ["b"]);
    let at = room.spot("picture of b").center();
    room.drag(at, at + vec2(0.0, 80.0));
    assert_eq!(room.place("b"), (320, 80));
}

#[test]
fn a_node_that_is_moved_comes_to_lie_in_line_with_another() {
    let mut room = Room::new(&workflow(
        r#""a": (type: "word"), "b": (type: "word")"#,
        r#""a": (at: (0, 3)), "b": (at: (320, 160))"#,
    ));
    let from = room.head("b");
    // The grid would have it at 0.
    room.drag(from, from + vec2(0.0, -156.0));
    assert_eq!(room.place("b"), (320, 3));
    let from = room.head("b");
    room.hold(ALT);
    room.pull(from, from);
    room.hold(NONE);
    room.release();
    let from = room.head("b");
    room.drag(from, from + vec2(0.0, 61.0));
    assert_eq!(room.place("b"), (320, 64));
}

#[test]
fn what_is_chosen_is_aligned_and_spread() {
    const ALT_SHIFT: egui::Modifiers = egui::Modifiers::ALT.plus(egui::Modifiers::SHIFT);
    let places = |room: &Room| ["a", "b", "c"].map(|name| room.place(name));
    let start = [(0, 0), (300, 40), (410, 200)];
    let text = workflow(
        r#""a": (type: "word"), "b": (type: "word"), "c": (type: "word")"#,
        r#""a": (at: (0, 0)), "b": (at: (300, 40)), "c": (at: (410, 200))"#,
    );
    // All are of one size, so that centres lie as edges do.
    for (keys, key, wanted) in [
        (ALT, Key::A, [(0, 0), (0, 40), (0, 200)]),
        (ALT, Key::D, [(410, 0), (410, 40), (410, 200)]),
        (ALT, Key::H, [(205, 0), (205, 40), (205, 200)]),
        (ALT, Key::W, [(0, 0), (300, 0), (410, 0)]),
        (ALT, Key::S, [(0, 200), (300, 200), (410, 200)]),
        (ALT, Key::V, [(0, 100), (300, 100), (410, 100)]),
        (ALT_SHIFT, Key::H, [(0, 0), (205, 40), (410, 200)]),
        (ALT_SHIFT, Key::V, [(0, 0), (300, 100), (410, 200)]),
    ] {
        let mut room = Room::new(&text);
        room.key(CTRL, Key::A);
        room.key(keys, key);
        assert_eq!(places(&room), wanted, "{keys:?} {key:?}");
        assert_eq!(room.steps().len(), 1);
        room.key(CTRL, Key::Z);
        assert_eq!(places(&room), start);
    }
}

#[test]
fn what_is_chosen_is_laid_out_where_it_is_and_the_rest_stays() {
    let mut room = Room::new(&workflow(
        r#""a": (type: "grow"), "b": (type: "grow", on: (from: "a")), "c": (type: "grow", on: (from: "b"))"#,
        r#""a": (at: (400, 300)), "b": (at: (80, 40)), "c": (at: (0, -200))"#,
    ));
    room.click(room.head("a"));
    room.click_with(SHIFT, room.head("b"));
    room.key(crate::room::CTRL_SHIFT, Key::L);
    assert_eq!((room.place("a"), room.place("c")), ((80, 40), (0, -200)));
    assert!(room.place("b").0 > 80 + 248, "{:?}", room.place("b"));
    assert_eq!(room.steps(), ["lay out"]);
}

#[test]
fn the_minimap_shows_everything_and_a_press_leads_there() {
    let mut room = Room::new(&workflow(
        r#""a": (type: "word"), "far": (type: "word")"#,
        r#""a": (at: (0, 0)), "far": (at: (6000, 3000))"#,
    ));
    assert!(!room.sees("minimap") && !room.sees("node far"));
    room.key(ALT, Key::M);
    let map = room.spot("minimap");
    room.click(map.right_bottom() - vec2(16.0, 30.0));
    assert!(room.sees("node far"), "{:?}", room.tab().view.camera.centre);
    let zoom = room.tab().view.camera.zoom;
    room.drag(map.right_bottom() - vec2(16.0, 30.0), map.left_top() + vec2(14.0, 30.0));
    assert!(room.sees("node a") && !room.sees("node far"));
    assert_eq!((room.tab().view.camera.zoom, room.steps().len(), room.chosen().len()), (zoom, 0, 0));
    // The wheel over it is not the canvas's.
    room.move_to(map.center());
    room.wheel(2.0);
    assert_eq!(room.tab().view.camera.zoom, zoom);
}

/// Leaves in rows of ten, each fed by the one before it.
fn forest(count: usize) -> Room {
    let node = |index: usize| match index {
        0 => r#""n0": (type: "grow")"#.to_owned(),
        _ => format!(r#""n{index}": (type: "grow", on: (from: "n{}"))"#, index - 1),
    };
    let place = |index: usize| format!(r#""n{index}": (at: ({}, {}))"#, index % 10 * 320, index / 10 * 200);
    let list = |of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().join(", ");
    Room::new(&workflow(&list(&node), &list(&place)))
}

/// The corners of all triangles of a frame: what is laid out, tessellated and handed to the card.
fn corners(room: &Room) -> usize {
    let output = room.harness.output();
    let meshes = room.harness.ctx.tessellate(output.shapes.clone(), output.pixels_per_point);
    let corners = |primitive: &egui::epaint::Primitive| match primitive {
        egui::epaint::Primitive::Mesh(mesh) => mesh.vertices.len(),
        egui::epaint::Primitive::Callback(_) => 0,
    };
    meshes.iter().map(|each| corners(&each.primitive)).sum()
}

#[test]
fn what_is_out_of_sight_is_not_drawn() {
    let near = |count| {
        let mut room = forest(count);
        room.look(pos2(900.0, 700.0), 1.0);
        corners(&room)
    };
    let (few, many) = (near(150), near(1000));
    // The line below tells how many nodes there are.
    assert!(many.abs_diff(few) < 20, "{few} {many}");
}

#[test]
fn from_afar_a_node_costs_a_box_and_a_wire() {
    let mut room = forest(1000);
    room.key(NONE, Key::Home);
    room.wait(30);
    let each = corners(&room) / 1000;
    assert!(each < 120, "{each}");
}
