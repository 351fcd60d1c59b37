//! A task function's signature: what the runtime has to give it, and what it gives back.

use quote::ToTokens;
use syn::{Error, Ident, ItemFn, Result, Type, ext::IdentExt};

use crate::nearest::{nearest, quoted_list};
use crate::options::Options;
use crate::parameters::{Parameter, Role, batch_payload};
use crate::returns::Returns;

pub struct Signature {
    pub ident: Ident,
    pub parameters: Vec<Parameter>,
    pub returns: Returns,
    /// The type of its result, where it is known.
    pub result: Option<Type>,
}

impl Signature {
    /// Reads a function, and takes our attributes off its parameters.
    pub fn read(function: &mut ItemFn, options: &Options, errors: &mut Vec<Error>) -> Option<Signature> {
        let before = errors.len();
        check_qualifiers(function, errors);
        let mut parameters = Vec::new();
        for parameter in &mut function.sig.inputs {
            match Parameter::read(parameter) {
                Ok(parameter) => parameters.push(parameter),
                Err(error) => errors.push(error),
            }
        }
        if errors.len() > before {
            return None;
        }
        let shape = match options.batch {
            Some(_) => check_batch(function, &parameters, errors),
            None => {
                match options.hook {
                    Some(_) => check_hook(function, &parameters, errors),
                    None => check_not_batch(&parameters, errors),
                }
                Some(Returns::of_one(&function.sig.output))
            }
        };
        check_keys(options, &parameters, errors);
        check_schedule(options, &parameters, errors);
        let (returns, result) = shape?;
        let result = result.cloned();
        (errors.len() == before).then(|| Signature {
            ident: function.sig.ident.clone(),
            parameters,
            returns,
            result,
        })
    }

    /// Its name inside the module.
    pub fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    pub fn arguments(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.is_argument())
    }
}

fn check_qualifiers(function: &ItemFn, errors: &mut Vec<Error>) {
    let signature = &function.sig;
    let mut refuse = |part: &dyn ToTokens, message: &str| errors.push(Error::new_spanned(part, message));
    if let Some(qualifier) = &signature.asyncness {
        refuse(
            qualifier,
            "async tasks are not supported yet: write a plain `fn` and block where you would await",
        );
    }
    if let syn::Safety::Unsafe(qualifier) = &signature.safety {
        refuse(qualifier, "the runtime cannot keep an unsafe function's promises: write a plain `fn`");
    }
    if let Some(abi) = &signature.abi {
        refuse(abi, "a task is a plain Rust function: leave out `extern`");
    }
    if !signature.generics.params.is_empty() {
        refuse(&signature.generics, "a task's types come from JSON: it cannot be generic, name the types");
    }
    if let Some(clause) = &signature.generics.where_clause {
        refuse(clause, "a task cannot be generic: leave out the `where` clause");
    }
    if let Some(dots) = &signature.variadic {
        refuse(dots, "a task has a fixed list of parameters");
    }
}

/// A batch function has one argument, the calls, and answers each of them.
fn check_batch<'a>(
    function: &'a ItemFn,
    parameters: &[Parameter],
    errors: &mut Vec<Error>,
) -> Option<(Returns, Option<&'a Type>)> {
    const ONE: &str = "a batch function takes its calls in one parameter, such as `calls: Vec<Call<u64>>`";
    let mut arguments = parameters.iter().filter(|parameter| parameter.is_argument());
    match arguments.next() {
        None => errors.push(Error::new_spanned(&function.sig.ident, ONE)),
        Some(calls) if batch_payload(&calls.ty).is_none() => errors.push(Error::new_spanned(&calls.ty, ONE)),
        Some(Parameter { ident, role: Role::Default(_), .. }) => {
            let message = "a batch function is always given its calls: `#[default]` has no meaning here, \
                           use `#[serde(default)]` on a field of the call's type";
            errors.push(Error::new_spanned(ident, message));
        }
        Some(_) => errors.extend(arguments.map(|more| {
            let message = "a batch function has one parameter besides its context: \
                           make further arguments part of the call, as in `Vec<Call<(u64, String)>>`";
            Error::new_spanned(&more.ident, message)
        })),
    }
    match Returns::of_batch(&function.sig.output, &function.sig.ident) {
        Ok(returns) => Some(returns),
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

fn check_not_batch(parameters: &[Parameter], errors: &mut Vec<Error>) {
    for parameter in parameters.iter().filter(|parameter| batch_payload(&parameter.ty).is_some()) {
        let message = "only a batch function takes `Vec<Call<..>>`: write `#[task(batch)]`";
        errors.push(Error::new_spanned(&parameter.ty, message));
    }
}

/// Keys name arguments. The fields of a batch's own types are unknown here.
fn check_keys(options: &Options, parameters: &[Parameter], errors: &mut Vec<Error>) {
    if options.batch.is_some() {
        return;
    }
    let names: Vec<String> =
        parameters.iter().filter(|parameter| parameter.is_argument()).map(Parameter::name).collect();
    let known = || names.iter().map(String::as_str);
    for key in options.unique_key.iter().chain(&options.lock_key) {
        let name = key.value();
        if known().any(|known| known == name) {
            continue;
        }
        let hint = match (nearest(&name, known()), names.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "the function has none".to_owned(),
            (None, _) => format!("there are {}", quoted_list(known())),
        };
        errors.push(Error::new_spanned(key, format!("no argument is called `{name}`: {hint}")));
    }
}

/// A schedule gives no arguments.
fn check_schedule(options: &Options, parameters: &[Parameter], errors: &mut Vec<Error>) {
    if !options.is_scheduled() || options.batch.is_some() {
        return;
    }
    for parameter in parameters.iter().filter(|parameter| matches!(parameter.role, Role::Required)) {
        let name = parameter.name();
        let message =
            format!("a scheduled function is called without arguments: give `{name}` a `#[default(..)]`");
        errors.push(Error::new_spanned(&parameter.ident, message));
    }
}

/// A hook is told of its run in one argument.
fn check_hook(function: &ItemFn, parameters: &[Parameter], errors: &mut Vec<Error>) {
    const ONE: &str = "a hook is told of its run in one parameter: `run: HookedRun`";
    let mut arguments = parameters.iter().filter(|parameter| parameter.is_argument());
    match arguments.next() {
        None => errors.push(Error::new_spanned(&function.sig.ident, ONE)),
        Some(run) if batch_payload(&run.ty).is_some() => errors.push(Error::new_spanned(&run.ty, ONE)),
        Some(_) => {}
    }
    errors.extend(arguments.map(|more| Error::new_spanned(&more.ident, ONE)));
}

/// Reads the item that the attribute is on.
pub fn function(item: proc_macro2::TokenStream) -> Result<ItemFn> {
    syn::parse2(item.clone()).map_err(|error| match syn::parse2::<syn::Item>(item.clone()) {
        Ok(other) => Error::new_spanned(other, "a task is a function: put `#[task]` on a `fn`"),
        Err(_) => error,
    })
}
