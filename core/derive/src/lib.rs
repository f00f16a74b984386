//! `#[derive(Node)]`, `#[derive(Params)]`, `#[derive(Outputs)]` and `#[derive(Choice)]`: a struct's fields become a node's sockets and its
//! doc comments become the node's manual. The macros write what a person would otherwise write twice, and nothing else.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprRange, Field, Fields, Lit, LitStr, RangeLimits, Result, Type,
    parse_macro_input, spanned::Spanned,
};

/// Derives `Sockets` for a node's struct: `#[node(id, version, category, lane, effect)]` on the struct, `#[input]` or
/// `#[param(default, range, multiple_of, unit, multiline, advanced, file, pair, sizes)]` on every field, or `#[params]` on one whose type
/// derives `Params`: its parameters stand in its place.
#[proc_macro_derive(Node, attributes(node, input, param, params))]
pub fn derive_node(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(&parse_macro_input!(item as DeriveInput), node)
}

/// Derives `Params` for parameters that several nodes have in common: `#[param(…)]` on every field, as on a node's.
#[proc_macro_derive(Params, attributes(param))]
pub fn derive_params(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(&parse_macro_input!(item as DeriveInput), params)
}

/// Derives `Outputs` for a struct whose every field is one output of a node.
#[proc_macro_derive(Outputs)]
pub fn derive_outputs(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(&parse_macro_input!(item as DeriveInput), outputs)
}

/// Derives `Param` for an enum without fields: a choice by name (snake case), documented by its doc comments.
#[proc_macro_derive(Choice, attributes(choice))]
pub fn derive_choice(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(&parse_macro_input!(item as DeriveInput), choice)
}

fn expand(item: &DeriveInput, write: fn(&DeriveInput) -> Result<TokenStream>) -> proc_macro::TokenStream {
    write(item).unwrap_or_else(Error::into_compile_error).into()
}

fn node(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    let about = NodeAttr::read(item)?;
    let (specs, fills) = sockets(item)?;
    let NodeAttr { id, version, category, lane, effect } = about;
    let (title, doc) = (spelt(&title(&name.to_string())), doc(&item.attrs));
    Ok(quote! {
        impl ::darkroom_core::node::Sockets for #name {
            fn spec() -> ::darkroom_core::spec::Spec {
                ::darkroom_core::spec::Spec {
                    id: #id,
                    version: #version,
                    title: #title,
                    category: #category,
                    doc: #doc,
                    lane: ::darkroom_core::spec::Lane::#lane,
                    effect: #effect,
                    inputs: #specs,
                    outputs: <<Self as ::darkroom_core::node::Node>::Output as ::darkroom_core::node::Outputs>::sockets(),
                }
            }
            fn fill(inputs: &mut ::darkroom_core::node::Inputs<'_>) -> ::std::result::Result<Self, ::darkroom_core::fault::Fault> {
                Ok(Self { #(#fills),* })
            }
        }
    })
}

fn params(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    if let Some(field) =
        named_fields(item)?.iter().find(|field| !field.attrs.iter().any(|attr| attr.path().is_ident("param")))
    {
        return Err(Error::new(field.span(), "mark the field #[param(…)]: shared are parameters alone"));
    }
    let (specs, fills) = sockets(item)?;
    Ok(quote! {
        impl ::darkroom_core::node::Params for #name {
            fn inputs() -> Vec<::darkroom_core::spec::Input> { #specs }
            fn fill(inputs: &mut ::darkroom_core::node::Inputs<'_>) -> ::std::result::Result<Self, ::darkroom_core::fault::Fault> {
                Ok(Self { #(#fills),* })
            }
        }
    })
}

/// The inputs of all fields, in their order, as one list; and how each field is filled.
fn sockets(item: &DeriveInput) -> Result<(TokenStream, Vec<TokenStream>)> {
    let sockets = named_fields(item)?.iter().map(socket).collect::<Result<Vec<_>>>()?;
    let specs = sockets.iter().map(|socket| &socket.specs);
    let list = quote! { ::std::iter::empty()#(.chain(#specs))*.collect() };
    Ok((list, sockets.into_iter().map(|socket| socket.fill).collect()))
}

struct NodeAttr {
    id: LitStr,
    version: Expr,
    category: LitStr,
    lane: syn::Ident,
    effect: bool,
}

impl NodeAttr {
    fn read(item: &DeriveInput) -> Result<Self> {
        let (mut id, mut version, mut category, mut lane, mut effect) = (None, None, None, None, false);
        for attr in item.attrs.iter().filter(|attr| attr.path().is_ident("node")) {
            attr.parse_nested_meta(|meta| {
                let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match key.as_str() {
                    "id" => id = Some(meta.value()?.parse::<LitStr>()?),
                    "version" => version = Some(meta.value()?.parse::<Expr>()?),
                    "category" => category = Some(meta.value()?.parse::<LitStr>()?),
                    "lane" => lane = Some(meta.value()?.parse::<LitStr>()?),
                    "effect" => effect = true,
                    _ => return Err(meta.error("known here: id, version, category, lane, effect")),
                }
                Ok(())
            })?;
        }
        let missing = |what: &str| Error::new(item.span(), format!("#[node(…)] wants `{what}`"));
        let lane = lane.ok_or_else(|| missing("lane"))?;
        Ok(Self {
            id: id.ok_or_else(|| missing("id"))?,
            version: version.ok_or_else(|| missing("version"))?,
            category: category.ok_or_else(|| missing("category"))?,
            lane: format_ident!("{}", title(&lane.value()), span = lane.span()),
            effect,
        })
    }
}

struct SocketCode {
    /// The inputs of the field, as something to iterate over.
    specs: TokenStream,
    fill: TokenStream,
}

fn socket(field: &Field) -> Result<SocketCode> {
    let ident = field.ident.as_ref().expect("fields were checked to be named");
    let name = ident.to_string();
    let (ty, doc) = (&field.ty, doc(&field.attrs));
    let is = |mark: &str| field.attrs.iter().any(|attr| attr.path().is_ident(mark));
    if is("params") {
        return Ok(SocketCode {
            specs: quote! { <#ty as ::darkroom_core::node::Params>::inputs() },
            fill: quote! { #ident: <#ty as ::darkroom_core::node::Params>::fill(inputs)? },
        });
    }
    if doc.is_empty() {
        return Err(Error::new(field.span(), "a socket's doc comment is its manual: write one"));
    }
    if is("input") {
        return Ok(SocketCode {
            specs: quote! { [::darkroom_core::spec::Input::wire::<#ty>(#name, #doc)] },
            fill: quote! { #ident: inputs.wire::<#ty>()? },
        });
    }
    let Some(attr) = field.attrs.iter().find(|attr| attr.path().is_ident("param")) else {
        return Err(Error::new(
            field.span(),
            "mark the field #[input] (a wire), #[param(…)] (a literal) or #[params] (several)",
        ));
    };
    let settings = param_settings(attr, ty)?;
    Ok(SocketCode {
        specs: quote! { [::darkroom_core::spec::Input::param::<#ty>(#name, #doc)#settings] },
        fill: quote! { #ident: inputs.param::<#ty>()? },
    })
}

/// Builder calls for what stands in `#[param(…)]`.
fn param_settings(attr: &Attribute, ty: &Type) -> Result<TokenStream> {
    let mut calls = TokenStream::new();
    if matches!(attr.meta, syn::Meta::Path(_)) {
        return Ok(calls);
    }
    let is_text = matches!(ty, Type::Path(path) if path.path.is_ident("String"));
    attr.parse_nested_meta(|meta| {
        let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        calls.extend(match key.as_str() {
            "default" => {
                let value: Expr = meta.value()?.parse()?;
                let value = if is_text { quote!(::std::string::String::from(#value)) } else { quote!(#value) };
                quote! { .with_default::<#ty>(&#value) }
            }
            "range" => {
                let range: Expr = meta.value()?.parse()?;
                let (low, high) = closed_range(&range)?;
                quote! { .with_range::<#ty>(&#low, &#high) }
            }
            "multiple_of" => {
                let step: Expr = meta.value()?.parse()?;
                quote! { .with_multiple_of(#step) }
            }
            "unit" => {
                let unit: LitStr = meta.value()?.parse()?;
                quote! { .with_unit(#unit) }
            }
            "multiline" => quote! { .with_multiline() },
            "advanced" => quote! { .with_advanced() },
            "same_pixels" => quote! { .with_same_pixels() },
            "file" => {
                let sort: Expr = meta.value()?.parse()?;
                quote! { .with_file(#sort) }
            }
            "pair" => {
                let other: LitStr = meta.value()?.parse()?;
                quote! { .with_pair(#other) }
            }
            "sizes" => {
                let sizes: Expr = meta.value()?.parse()?;
                quote! { .with_sizes(#sizes) }
            }
            _ => {
                return Err(
                    meta.error(
                        "known here: default, range, multiple_of, unit, multiline, advanced, same_pixels, file, pair, sizes",
                    )
                );
            }
        });
        Ok(())
    })?;
    Ok(calls)
}

fn closed_range(range: &Expr) -> Result<(&Expr, &Expr)> {
    match range {
        Expr::Range(ExprRange { start: Some(low), end: Some(high), limits: RangeLimits::Closed(_), .. }) => {
            Ok((low, high))
        }
        other => Err(Error::new(other.span(), "write a closed range, `low..=high`")),
    }
}

fn outputs(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    let fields = named_fields(item)?;
    let specs = fields.iter().map(|field| {
        let (name, ty, doc) = (field.ident.as_ref().map(ToString::to_string), &field.ty, doc(&field.attrs));
        quote! { ::darkroom_core::spec::Output::of::<#ty>(#name, #doc) }
    });
    let values = fields.iter().map(|field| {
        let ident = &field.ident;
        quote! { ::darkroom_core::value::Made::new(self.#ident) }
    });
    Ok(quote! {
        impl ::darkroom_core::node::Outputs for #name {
            fn sockets() -> Vec<::darkroom_core::spec::Output> { vec![#(#specs),*] }
            fn split(self) -> Vec<::darkroom_core::value::Made> { vec![#(#values),*] }
        }
    })
}

fn choice(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    let Data::Enum(data) = &item.data else {
        return Err(Error::new(item.span(), "a choice is an enum without fields"));
    };
    let idents: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names = data.variants.iter().map(choice_name).collect::<Result<Vec<_>>>()?;
    let docs = data.variants.iter().map(|variant| doc(&variant.attrs));
    Ok(quote! {
        impl ::darkroom_core::param::ChoiceParam for #name {
            const CHOICES: &'static [::darkroom_core::spec::Choice] =
                &[#(::darkroom_core::spec::Choice { name: #names, doc: #docs }),*];
            fn from_index(index: usize) -> Self { [#(Self::#idents),*][index] }
            fn index(self) -> usize { self as usize }
        }
    })
}

/// A variant's name in files: `#[choice(name = "…")]`, else snake case.
fn choice_name(variant: &syn::Variant) -> Result<String> {
    let mut name = snake(&variant.ident.to_string());
    for attr in variant.attrs.iter().filter(|attr| attr.path().is_ident("choice")) {
        attr.parse_nested_meta(|meta| {
            name = meta.value()?.parse::<LitStr>()?.value();
            Ok(())
        })?;
    }
    Ok(name)
}

fn named_fields(item: &DeriveInput) -> Result<&syn::punctuated::Punctuated<Field, syn::Token![,]>> {
    match &item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(&fields.named),
            other => Err(Error::new(other.span(), "name the fields: their names are the sockets' names")),
        },
        _ => Err(Error::new(item.span(), "a struct is wanted here")),
    }
}

/// The doc comment as one text: lines joined, paragraphs kept.
fn doc(attrs: &[Attribute]) -> String {
    let mut text = String::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        let syn::Meta::NameValue(pair) = &attr.meta else { continue };
        let Expr::Lit(syn::ExprLit { lit: Lit::Str(line), .. }) = &pair.value else { continue };
        let line = line.value();
        let line = line.trim();
        match line {
            "" => text.push_str("\n\n"),
            _ if text.is_empty() || text.ends_with('\n') => text.push_str(line),
            _ => {
                text.push(' ');
                text.push_str(line);
            }
        }
    }
    text.trim().to_owned()
}

/// Spells the words of a title that are not spelt as others: `Vae Decode` → `VAE Decode`.
fn spelt(title: &str) -> String {
    const WORDS: [(&str, &str); 3] = [("Vae", "VAE"), ("Lora", "LoRA"), ("Control Net", "ControlNet")];
    WORDS.iter().fold(title.to_owned(), |title, (usual, ours)| title.replace(usual, ours))
}

/// `VaeDecode` → `Vae Decode`; `compute` → `Compute`.
fn title(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        match c {
            _ if i == 0 => out.extend(c.to_uppercase()),
            c if c.is_uppercase() => out.extend([' ', c]),
            c => out.push(c),
        }
    }
    out
}

/// `EulerAncestral` → `euler_ancestral`.
fn snake(name: &str) -> String {
    title(name).replace(' ', "_").to_lowercase()
}
