//! Weights, chunks and trained words: A1111's and ComfyUI's rules on one encoder, and what must be equal by itself.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use darkroom_models::{
    prompt::{
        Inversion, Long, Piece, Style, Weighting, Words,
        chunks::{Chunks, chunks},
        encode::{Reading, encode},
        parse,
    },
    sdxl::conditioning::{Conditioning, Prompt, Request, Tower, encode_prompt},
    tokenizer::Clip,
};
use darkroom_tests::reference::{self, assert_close, max_abs};
use serde_json::Value;

use super::{NETWORK, text_encoders::encoder, tokenizer::clip};

fn tokenizer(name: &str) -> Clip {
    Clip::open(&reference::root().join("models/tiny-sdxl-base").join(name)).unwrap()
}

fn style(weighting: Weighting, long: Long) -> Style {
    Style { weighting, long }
}

/// Pieces of a case: text and weight.
fn pieces(list: &Value) -> Vec<Piece> {
    let piece = |piece: &Value| Piece::Text(piece[0].as_str().unwrap().to_owned(), piece[1].as_f64().unwrap());
    list.as_array().unwrap().iter().map(piece).collect()
}

#[test]
fn brackets_are_read_as_the_reference_reads_them() {
    let facts = reference::facts("sdxl/prompt_weighting");
    let cases = facts["parse"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let text = case[0].as_str().unwrap();
        let wanted = pieces(&case[1]);
        assert_same(&parse(text, Weighting::A1111).unwrap(), &wanted, text);
        // A case with a note says where ComfyUI differs; those are in the unit tests of its parser.
        if case[2].is_null() {
            assert_same(&parse(text, Weighting::Comfyui).unwrap(), &wanted, text);
        }
    }
}

/// Holds pieces against each other; a weight out of JSON may be off in its last bit.
fn assert_same(got: &[Piece], wanted: &[Piece], text: &str) {
    let same = |(got, wanted): (&Piece, &Piece)| match (got, wanted) {
        (Piece::Text(got, weight), Piece::Text(text, wanted)) => got == text && (weight - wanted).abs() < 1e-12,
        (got, wanted) => got == wanted,
    };
    assert!(got.len() == wanted.len() && got.iter().zip(wanted).all(same), "{text}: {got:?}, not {wanted:?}");
}

/// Writes pieces as a prompt of which both dialects make these pieces.
fn written(pieces: &[Piece]) -> String {
    let one = |piece: &Piece| match piece {
        Piece::Text(text, weight) => {
            let text = text.replace('(', "\\(").replace(')', "\\)");
            if *weight == 1.0 { text } else { format!("({text}:{weight})") }
        }
        Piece::Break => "BREAK".to_owned(),
    };
    pieces.iter().map(one).collect()
}

#[test]
fn weights_give_the_numbers_of_the_reference() {
    let (facts, want) = (reference::facts("sdxl/prompt_weighting"), reference::tensors("sdxl/prompt_weighting"));
    let text = written(&pieces(&facts["pieces"]));
    let (tokenizer, encoder, words) = (tokenizer("tokenizer"), encoder("text_encoder"), Words::default());
    let towers = [Tower { tokenizer: &tokenizer, encoder: &encoder, words: &words }];
    let read = chunks(&tokenizer, &words, &text, style(Weighting::A1111, Long::Cut)).unwrap();
    let (ids, weights) = read.rows[0].row(&tokenizer);
    let wanted: Vec<f64> = reference::values(want.get("input_ids"));
    assert_eq!(ids.iter().map(|id| f64::from(*id)).collect::<Vec<_>>(), wanted);
    assert_eq!(weights, want.get("weights").to_vec1::<f32>().unwrap());
    for (name, weighting) in
        [("a1111", Weighting::A1111), ("a1111_no_norm", Weighting::A1111NoNorm), ("comfyui", Weighting::Comfyui)]
    {
        let reading = Reading { style: style(weighting, Long::Cut), ..Reading::default() };
        let got = encode(&towers, Prompt { text: &text, second: None }, reading, &mut ()).unwrap();
        assert_close(name, &got.context.to_tensor().unwrap(), want.get(name), NETWORK);
    }
    let got = encode(&towers, Prompt::default(), Reading::default(), &mut ()).unwrap();
    assert_close("empty", &got.context.to_tensor().unwrap(), want.get("empty"), NETWORK);
}

/// Both towers of the tiny model.
struct Model {
    tokenizers: [Clip; 2],
    encoders: [darkroom_models::sdxl::TextEncoder; 2],
    words: [Words; 2],
}

impl Model {
    fn open() -> Self {
        Self {
            tokenizers: ["tokenizer", "tokenizer_2"].map(tokenizer),
            encoders: ["text_encoder", "text_encoder_2"].map(encoder),
            words: Default::default(),
        }
    }

    fn towers(&self) -> [Tower<'_>; 2] {
        [0, 1].map(|i| Tower { tokenizer: &self.tokenizers[i], encoder: &self.encoders[i], words: &self.words[i] })
    }

    fn encode(&self, text: &str, style: Style) -> Conditioning {
        let reading = Reading { style, ..Reading::default() };
        encode(&self.towers(), Prompt { text, second: None }, reading, &mut ()).unwrap()
    }
}

fn rows(context: &Conditioning, chunk: usize) -> Tensor {
    context.context.to_tensor().unwrap().narrow(1, 77 * chunk, 77).unwrap()
}

#[test]
fn a_long_prompt_is_its_chunks_one_behind_the_other() {
    let model = Model::open();
    let (first, second) = ("sea ".repeat(75), "cat ".repeat(5));
    let long = model.encode(&format!("{first}{second}"), style(Weighting::None, Long::Chunks));
    assert_eq!(long.context.dims().1, 2 * 77);
    for (i, text) in [first, second].iter().enumerate() {
        let alone = model.encode(text, Style::default());
        assert_eq!(max_abs(&rows(&long, i), &alone.context.to_tensor().unwrap()), 0.0, "chunk {i}");
        let pooled = |prompt: &Conditioning| prompt.pooled.as_ref().unwrap().to_vectors().unwrap();
        assert_eq!(max_abs(&pooled(&long), &pooled(&alone)) == 0.0, i == 0, "the first chunk is pooled");
    }
    let broken = model.encode("sea BREAK cat", style(Weighting::A1111, Long::Chunks));
    let plain = model.encode("cat", Style::default());
    assert_eq!(max_abs(&rows(&broken, 1), &plain.context.to_tensor().unwrap()), 0.0);
}

#[test]
fn the_shorter_of_two_texts_is_filled_up_with_empty_chunks() {
    let model = Model::open();
    let long = "sea ".repeat(80);
    let prompt = Prompt { text: "cat", second: Some(&long) };
    let reading = Reading { style: style(Weighting::None, Long::Chunks), ..Reading::default() };
    let got = encode(&model.towers(), prompt, reading, &mut ()).unwrap();
    let empty = model.encode("", Style::default());
    let width = model.encoders[0].config().hidden_size;
    let first = |x: &Tensor| x.narrow(2, 0, width).unwrap();
    assert_eq!(max_abs(&first(&rows(&got, 1)), &first(&empty.context.to_tensor().unwrap())), 0.0);
}

#[test]
fn an_empty_negative_is_zeros_in_a1111_and_text_elsewhere() {
    let model = Model::open();
    let prompt = [Prompt { text: "cat", second: None }];
    for (weighting, zeros) in [(Weighting::None, false), (Weighting::A1111, true), (Weighting::Comfyui, false)] {
        let request = Request {
            positive: &prompt,
            negative: Some(&[Prompt::default()]),
            force_zeros: true,
            style: style(weighting, Long::Cut),
            ..Request::default()
        };
        let (_, negative) = encode_prompt(&model.towers(), request, &mut ()).unwrap();
        let all = reference::values(&negative.context.to_tensor().unwrap());
        assert_eq!(all.iter().all(|x| *x == 0.0), zeros, "{weighting:?}");
    }
}

fn read(text: &str, weighting: Weighting) -> Chunks {
    chunks(&clip("<|endoftext|>"), &Words::default(), text, style(weighting, Long::Chunks)).unwrap()
}

/// Tokens of each chunk, without start, end and padding.
fn lengths(read: &Chunks) -> Vec<usize> {
    let clip = clip("<|endoftext|>");
    let length = |ids: Vec<u32>| ids.iter().position(|id| *id == clip.eos()).unwrap() - 1;
    read.rows.iter().map(|row| length(row.row(&clip).0)).collect()
}

#[test]
fn a1111_moves_what_follows_a_late_comma() {
    let text = |before: usize, after: usize| format!("{}, {}", "cat ".repeat(before), "dog ".repeat(after));
    // The comma is the 61st token: 14 dogs follow in this chunk, which is few enough to move.
    assert_eq!(lengths(&read(&text(60, 20), Weighting::A1111)), [61, 20]);
    assert_eq!(lengths(&read(&text(60, 20), Weighting::None)), [75, 6]);
    // The comma is the first of the last 20 tokens, so what follows it moves; one place earlier it stays.
    assert_eq!(lengths(&read(&text(55, 30), Weighting::A1111)), [56, 30]);
    assert_eq!(lengths(&read(&text(54, 30), Weighting::A1111)), [75, 10]);
    assert_eq!(lengths(&read("cat BREAK dog", Weighting::A1111)), [1, 1]);
    assert_eq!(lengths(&read("", Weighting::A1111)), [0]);
}

#[test]
fn comfyui_parts_large_words_alone() {
    let cats = "cat ".repeat(72);
    assert_eq!(lengths(&read(&format!("{cats}(a b c d e:1.2)"), Weighting::Comfyui)), [72, 5]);
    assert_eq!(lengths(&read(&format!("{cats}(a b c d e f g h:1.2)"), Weighting::Comfyui)), [75, 5]);
    assert_eq!(lengths(&read("", Weighting::Comfyui)), [0]);
}

#[test]
fn a_prompt_of_five_thousand_tokens_is_read_and_one_of_ten_thousand_refused() {
    for weighting in [Weighting::None, Weighting::A1111, Weighting::Comfyui] {
        let all = read(&"cat ".repeat(5000), weighting);
        assert_eq!((all.rows.len(), all.tokens), (5000_usize.div_ceil(75), 5000), "{weighting:?}");
        let clip = clip("!");
        let cut = chunks(&clip, &Words::default(), &"cat ".repeat(5000), style(weighting, Long::Cut)).unwrap();
        assert_eq!((cut.rows.len(), cut.left_out), (1, 4925));
        let many = chunks(&clip, &Words::default(), &"cat ".repeat(10_000), style(weighting, Long::Chunks));
        let told = many.unwrap_err().to_string();
        assert!(told.contains("10000 tokens") && told.contains("at most 100 chunks are read"), "{told}");
        let long = chunks(&clip, &Words::default(), &"(".repeat(1 << 20), style(weighting, Long::Chunks));
        assert!(long.unwrap_err().to_string().contains("at most 65536 are read"));
    }
}

/// Writes an embedding for both towers whose vectors are those of the words of a text.
fn embedding_of(model: &Model, text: &str, path: &Path) {
    let mut tensors = HashMap::new();
    for (i, name) in ["clip_l", "clip_g"].into_iter().enumerate() {
        let folder = ["text_encoder", "text_encoder_2"][i];
        let file = reference::root().join("models/tiny-sdxl-base").join(folder).join("model.safetensors");
        let all = reference::tensors_at(&file);
        let table = all.names().find(|name| name.ends_with("token_embedding.weight")).unwrap();
        let ids = model.tokenizers[i].encode(text).unwrap().untruncated;
        let ids = Tensor::from_slice(&ids[1..ids.len() - 1], ids.len() - 2, &Device::Cpu).unwrap();
        tensors.insert(name.to_owned(), all.get(table).index_select(&ids, 0).unwrap());
    }
    candle_core::safetensors::save(&tensors, path).unwrap();
}

#[test]
fn a_trained_word_is_read_as_the_words_whose_vectors_it_holds() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("style.safetensors");
    let mut model = Model::open();
    embedding_of(&model, "cat by the sea", &path);
    let sizes = [0, 1].map(|i| model.encoders[i].config().clone());
    let plain = model.encode("a photo of cat by the sea, snow", Style::default());
    let word = Inversion::open(&path, None, &[sizes[0].hidden_size, sizes[1].hidden_size]).unwrap();
    model.words = [0, 1].map(|i| Words::new([&word], i, sizes[i].vocab_size).unwrap());
    for text in ["a photo of style, snow", "a photo of embedding:STYLE, snow"] {
        let got = model.encode(text, Style::default());
        assert_eq!(max_abs(&got.context.to_tensor().unwrap(), &plain.context.to_tensor().unwrap()), 0.0, "{text}");
        let pooled = |prompt: &Conditioning| prompt.pooled.as_ref().unwrap().to_vectors().unwrap();
        assert_eq!(max_abs(&pooled(&got), &pooled(&plain)), 0.0, "{text}");
    }
    // It counts as its vectors, and is not parted between chunks.
    let text = format!("{} style", "sea ".repeat(73));
    let read = |weighting| {
        let style = style(weighting, Long::Chunks);
        let read = chunks(&model.tokenizers[0], &model.words[0], &text, style).unwrap();
        (read.rows.len(), read.tokens, read.rows[1].row(&model.tokenizers[0]).0[1] as usize >= sizes[0].vocab_size)
    };
    let (_, count, _) = read(Weighting::A1111);
    assert_eq!(read(Weighting::A1111), (2, count, true));
    let ids = chunks(&model.tokenizers[0], &model.words[0], &text, style(Weighting::A1111, Long::Chunks)).unwrap();
    assert_eq!(ids.rows[0].row(&model.tokenizers[0]).0[74], model.tokenizers[0].eos());
}
