//! Nodes: a step of a workflow as a struct that holds its inputs; `run` spends them.
//!
//! A person writes a struct with doc comments, derives `Node` for its sockets, and implements [`Node`]. The engine sees
//! [`AnyNode`], which one blanket implementation gives to all of them.

use std::marker::PhantomData;

use crate::context::Context;
use crate::fault::Fault;
use crate::host::Host;
use crate::ladder::Rung;
use crate::literal::Literal;
use crate::param::Param;
use crate::spec::{Input, Output, Spec};
use crate::types::{Cost, Kind, Type};
use crate::value::{Datum, Made, Value};

/// Written by `#[derive(Node)]` from the struct's fields and doc comments.
pub trait Sockets: Sized {
    /// Returns the node's manual.
    fn spec() -> Spec;

    /// Takes the inputs, in the order of the fields.
    ///
    /// # Errors
    /// A fault of the first input that does not fit.
    fn fill(inputs: &mut Inputs<'_>) -> Result<Self, Fault>;
}

/// Parameters that several nodes have in common: written by `#[derive(Params)]`, and put among a node's own by `#[params]`.
pub trait Params: Sized {
    /// Returns their part of a node's manual, in order.
    fn inputs() -> Vec<Input>;

    /// Takes them, in the same order.
    ///
    /// # Errors
    /// A fault of the first parameter that does not fit.
    fn fill(inputs: &mut Inputs<'_>) -> Result<Self, Fault>;
}

/// A step of a workflow.
pub trait Node: Sockets + Send + 'static {
    /// What it makes: one datum, or a struct of them.
    type Output: Outputs;

    /// Does the work.
    ///
    /// # Errors
    /// A fault without its place: the engine adds the node.
    fn run(self, cx: &mut Context<'_>) -> Result<Self::Output, Fault>;

    /// Says what the outputs will be, from what is known of the inputs, without values.
    ///
    /// # Errors
    /// A fault of inputs that do not go together.
    fn infer(_known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        Ok(<Self::Output as Outputs>::sockets().iter().map(|output| Type::of(output.kind)).collect())
    }

    /// Says what the work will need. Called only when [`Node::infer`] found no fault.
    fn cost(_known: &Known<'_>) -> Cost {
        Cost::default()
    }

    /// Says how to make do with less memory, the least costly way first: what the engine tries, rung by rung, after a fault
    /// of memory that letting go of idle weights and cached results did not help against.
    ///
    /// A rung sets literal parameters of the node itself, on top of the rungs before it, in the plan and never in the
    /// file. The results of the node and of all below it then have other names, so that a smaller tile is never taken
    /// for the whole; parameters marked `#[param(…, same_pixels)]` have no part in names, so that a rung of these alone
    /// goes on from the node's checkpoint and gives the very same result. A rung must pass the same checks as what a
    /// person writes, and need less than what stands in the node: leave out those that its parameters are below already.
    ///
    /// ```ignore
    /// fn ladder(known: &Known<'_>) -> Vec<Rung> {
    ///     let tile: u32 = known.param("tile").ok().flatten().unwrap_or(0);
    ///     let smaller = [96, 64, 32].into_iter().filter(|edge| tile == 0 || *edge < tile);
    ///     smaller.map(|edge| Rung::new(format!("decoded in tiles of {edge}")).set("tile", edge)).collect()
    /// }
    /// ```
    ///
    /// A node with a ladder checkpoints what took long, allocates through [`Context::reserve`] before it computes, and
    /// passes the fault on as it came, hints apart. What fitted is remembered for this machine, budget, node and size
    /// ([`crate::ladder::Fits`]).
    fn ladder(_known: &Known<'_>) -> Vec<Rung> {
        Vec::new()
    }

    /// For a route: the name of the input to pass on.
    ///
    /// # Errors
    /// A fault of a selector that is not known while planning.
    fn route(_known: &Known<'_>) -> Result<&'static str, Fault> {
        Err(Fault::bug("this node passes nothing on"))
    }
}

/// What a node makes: one datum, or a struct of them (`#[derive(Outputs)]`).
pub trait Outputs: Send {
    /// Describes the outputs.
    fn sockets() -> Vec<Output>;
    /// Takes them apart.
    fn split(self) -> Vec<Made>;
}

impl<T: Datum> Outputs for T {
    fn sockets() -> Vec<Output> {
        vec![Output::of::<T>(T::KIND.0, "")]
    }

    fn split(self) -> Vec<Made> {
        vec![Made::new(self)]
    }
}

/// The output of a route: whatever the chosen input carries. It is never made, because a route never runs.
pub enum Routed {}

impl Outputs for Routed {
    fn sockets() -> Vec<Output> {
        vec![Output { name: "out", doc: "What the chosen input carries.", kind: Kind::ANY, codec: None }]
    }

    fn split(self) -> Vec<Made> {
        match self {}
    }
}

/// What a socket's field can be: a datum, or `Option` of one.
pub trait Wire: Sized {
    /// What may come in.
    const KIND: Kind;
    /// Whether something must.
    const REQUIRED: bool;
    /// Takes the value.
    ///
    /// # Errors
    /// A fault if it is missing or of another kind.
    fn take(value: Option<Value>) -> Result<Self, Fault>;
}

impl<T: Datum> Wire for T {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = true;

    fn take(value: Option<Value>) -> Result<Self, Fault> {
        match value {
            Some(value) => value.get::<T>().cloned(),
            None => Err(Fault::graph(format!("nothing comes in; a `{}` is wanted", T::KIND))),
        }
    }
}

impl<T: Datum> Wire for Option<T> {
    const KIND: Kind = T::KIND;
    const REQUIRED: bool = false;

    fn take(value: Option<Value>) -> Result<Self, Fault> {
        value.map(|value| value.get::<T>().cloned()).transpose()
    }
}

/// A socket that takes whatever comes: the branches of a route.
pub struct AnyWire(pub Option<Value>);

impl Wire for AnyWire {
    const KIND: Kind = Kind::ANY;
    const REQUIRED: bool = false;

    fn take(value: Option<Value>) -> Result<Self, Fault> {
        Ok(Self(value))
    }
}

/// What stands at an input when a node is about to run.
#[derive(Debug, Clone)]
pub enum Feed<'a> {
    /// A literal of the file, or the default.
    Literal(&'a Literal),
    /// A value off a wire.
    Value(Value),
    /// Nothing.
    Open,
}

/// The inputs of a node about to run, handed out in the order of its fields.
pub struct Inputs<'a> {
    spec: &'a Spec,
    host: &'a Host,
    feeds: std::vec::IntoIter<Feed<'a>>,
    next: usize,
}

impl<'a> Inputs<'a> {
    /// Makes the inputs of a node; one feed for each input of its spec.
    pub fn new(spec: &'a Spec, host: &'a Host, feeds: Vec<Feed<'a>>) -> Self {
        Self { spec, host, feeds: feeds.into_iter(), next: 0 }
    }

    /// Takes the next input off its wire.
    ///
    /// # Errors
    /// A fault that names the input.
    pub fn wire<T: Wire>(&mut self) -> Result<T, Fault> {
        let (name, feed) = self.advance();
        let value = match feed {
            Feed::Value(value) => Some(value),
            Feed::Open | Feed::Literal(_) => None,
        };
        T::take(value).map_err(|fault| at_input(fault, name))
    }

    /// Takes the next input as a parameter.
    ///
    /// # Errors
    /// A fault that names the input.
    pub fn param<T: Param>(&mut self) -> Result<T, Fault> {
        let input = &self.spec.inputs[self.next];
        let (name, feed) = self.advance();
        let read = match feed {
            Feed::Literal(literal) => T::parse(literal, self.host.files()),
            Feed::Value(value) => T::take(&value, self.host.files()).and_then(|taken| {
                let param = input.param.as_ref().expect("only parameters are taken as such");
                param.check_range(&taken.literal()).map(|()| taken)
            }),
            Feed::Open => T::absent().ok_or_else(|| Fault::graph(format!("nothing is given; {} is wanted", T::NOUN))),
        };
        read.map_err(|fault| at_input(fault, name))
    }

    fn advance(&mut self) -> (&'static str, Feed<'a>) {
        let name = self.spec.inputs[self.next].name;
        self.next += 1;
        (name, self.feeds.next().expect("one feed for each input"))
    }
}

fn at_input(fault: Fault, name: &str) -> Fault {
    Fault { message: format!("`{name}`: {}", fault.message), ..fault }
}

/// What is known of a node's inputs before anything runs.
pub struct Known<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) host: &'a Host,
    pub(crate) inputs: &'a [KnownInput<'a>],
}

/// What is known of one input.
#[derive(Debug, Clone)]
pub struct KnownInput<'a> {
    /// Its type, if something comes in by wire.
    pub ty: Option<Type>,
    /// The node that the wire comes from.
    pub from: Option<&'a str>,
    /// Its value, if it is known already.
    pub feed: Option<Feed<'a>>,
}

impl<'a> Known<'a> {
    /// Returns a parameter, or `None` where only a run can tell.
    ///
    /// # Errors
    /// A fault if the value does not fit.
    pub fn param<T: Param>(&self, name: &str) -> Result<Option<T>, Fault> {
        let files = self.host.files();
        match &self.input(name).feed {
            Some(Feed::Literal(literal)) => T::parse(literal, files).map(Some),
            Some(Feed::Value(value)) => T::take(value, files).map(Some),
            Some(Feed::Open) => Ok(T::absent()),
            None => Ok(None),
        }
    }

    /// Returns what comes in by wire; `None` where nothing does.
    pub fn wire(&self, name: &str) -> Option<&Type> {
        self.input(name).ty.as_ref()
    }

    /// Returns what comes in by wire, or a type of which nothing is known.
    pub fn wire_or_unknown(&self, name: &str) -> Type {
        self.wire(name).cloned().unwrap_or(Type::of(Kind::ANY))
    }

    /// Checks that two wires belong to one model family, as far as that is known.
    ///
    /// # Errors
    /// A fault that names both nodes and both families.
    pub fn same_family(&self, one: &str, other: &str) -> Result<(), Fault> {
        let (Some(first), Some(second)) = (self.wire(one), self.wire(other)) else { return Ok(()) };
        let (Some(wanted), Some(found)) = (&first.family, &second.family) else { return Ok(()) };
        if wanted == found {
            return Ok(());
        }
        let from = |name| self.input(name).from.unwrap_or("a literal");
        Err(Fault::graph(format!(
            "`{one}` comes from `{}` and is {wanted}, but `{other}` comes from `{}` and is {found}",
            from(one),
            from(other)
        ))
        .hint(format!("take both from one model, or make `{}` {wanted}", from(other))))
    }

    /// Returns a part of the machine, as the folder of models.
    ///
    /// # Errors
    /// A bug, if the program was put together without it.
    pub fn host<T: Send + Sync + 'static>(&self) -> Result<&'a T, Fault> {
        self.host.part()
    }

    fn input(&self, name: &str) -> &KnownInput<'a> {
        let (index, _) = self.spec.input(name).expect("a node asks for its own inputs");
        &self.inputs[index]
    }
}

/// What the engine sees of any node.
pub trait AnyNode: Send + Sync {
    /// Returns the node's manual.
    fn spec(&self) -> &Spec;
    /// Fills the struct and runs it.
    ///
    /// # Errors
    /// The node's fault.
    fn run(&self, inputs: Inputs<'_>, cx: &mut Context<'_>) -> Result<Vec<Made>, Fault>;
    /// See [`Node::infer`].
    ///
    /// # Errors
    /// The node's fault.
    fn infer(&self, known: &Known<'_>) -> Result<Vec<Type>, Fault>;
    /// See [`Node::cost`].
    fn cost(&self, known: &Known<'_>) -> Cost;
    /// See [`Node::ladder`].
    fn ladder(&self, known: &Known<'_>) -> Vec<Rung>;
    /// See [`Node::route`].
    ///
    /// # Errors
    /// The node's fault.
    fn route(&self, known: &Known<'_>) -> Result<&'static str, Fault>;
}

pub(crate) struct Erased<N> {
    spec: Spec,
    node: PhantomData<fn() -> N>,
}

impl<N: Node> Erased<N> {
    pub(crate) fn new() -> Self {
        Self { spec: N::spec(), node: PhantomData }
    }
}

impl<N: Node> AnyNode for Erased<N> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn run(&self, mut inputs: Inputs<'_>, cx: &mut Context<'_>) -> Result<Vec<Made>, Fault> {
        Ok(N::fill(&mut inputs)?.run(cx)?.split())
    }

    fn infer(&self, known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        N::infer(known)
    }

    fn cost(&self, known: &Known<'_>) -> Cost {
        N::cost(known)
    }

    fn ladder(&self, known: &Known<'_>) -> Vec<Rung> {
        N::ladder(known)
    }

    fn route(&self, known: &Known<'_>) -> Result<&'static str, Fault> {
        N::route(known)
    }
}
