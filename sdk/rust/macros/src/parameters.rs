//! A task function's parameters: which are arguments, which of them may be left out.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, Expr, FnArg, GenericArgument, Ident, Meta, Pat, PathArguments, Result, Type};
use syn::{ext::IdentExt, spanned::Spanned};

/// One parameter.
pub struct Parameter {
    pub ident: Ident,
    pub ty: Type,
    pub role: Role,
}

/// Where a parameter's value comes from.
pub enum Role {
    /// The run's context.
    Context { by_reference: bool },
    /// An argument that must be given.
    Required,
    /// An `Option`, which is `None` when it is not given.
    Optional,
    /// An argument with a default.
    Default(Option<Expr>),
}

impl Parameter {
    /// Reads a parameter, and takes our attribute off it.
    pub fn read(parameter: &mut FnArg) -> Result<Parameter> {
        let FnArg::Typed(typed) = parameter else {
            let message = "a task is a function of its own, without `self`: move it out of the `impl` block";
            return Err(Error::new_spanned(parameter, message));
        };
        let default = take_default(&mut typed.attrs)?;
        let Pat::Ident(pattern) = &*typed.pat else {
            let message = "an argument is given by name: write a plain name, and take the value apart inside";
            return Err(Error::new_spanned(&typed.pat, message));
        };
        let (ident, ty) = (pattern.ident.clone(), (*typed.ty).clone());
        let role = match (context(&ty), default) {
            (Some(_), Some(default)) => {
                return Err(Error::new(default.span, "a context is always there: it needs no default"));
            }
            (Some(by_reference), None) => Role::Context { by_reference },
            (None, default) => {
                check_type(&ty)?;
                match default {
                    Some(default) => Role::Default(default.value),
                    None if last_segment(&ty).is_some_and(|(name, _)| name == "Option") => Role::Optional,
                    None => Role::Required,
                }
            }
        };
        Ok(Parameter { ident, ty, role })
    }

    /// The argument's name, as callers give it.
    pub fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    pub fn is_argument(&self) -> bool {
        !matches!(self.role, Role::Context { .. })
    }
}

/// A `#[default(..)]` or a bare `#[default]`.
struct Default {
    span: proc_macro2::Span,
    value: Option<Expr>,
}

fn take_default(attributes: &mut Vec<Attribute>) -> Result<Option<Default>> {
    let mut default = None;
    let mut others = Vec::new();
    for attribute in std::mem::take(attributes) {
        if !attribute.path().is_ident("default") {
            others.push(attribute);
            continue;
        }
        let span = attribute.span();
        let value = match &attribute.meta {
            Meta::Path(_) => None,
            Meta::List(list) => Some(list.parse_args()?),
            Meta::NameValue(_) => {
                return Err(Error::new(span, "write the value in parentheses: `#[default(256)]`"));
            }
        };
        if default.replace(Default { span, value }).is_some() {
            return Err(Error::new(span, "this argument has a default already"));
        }
    }
    *attributes = others;
    Ok(default)
}

/// Whether this is the context's type, and if so, whether it is a reference.
fn context(ty: &Type) -> Option<bool> {
    let (by_reference, ty) = match ty {
        Type::Reference(reference) if reference.mutability.is_none() => (true, &*reference.elem),
        ty => (false, ty),
    };
    last_segment(ty).is_some_and(|(name, _)| name == "Context").then_some(by_reference)
}

fn check_type(ty: &Type) -> Result<()> {
    let message = match ty {
        Type::Reference(reference) => match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => {
                "an argument is owned: write `String`".to_owned()
            }
            Type::Slice(slice) => {
                let element = &slice.elem;
                format!("an argument is owned: write `Vec<{}>`", quote!(#element))
            }
            _ => "an argument is owned: write its type without `&`".to_owned(),
        },
        Type::ImplTrait(_) => "an argument has one type: name it in place of `impl`".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::new_spanned(ty, message))
}

/// The last name of a type's path, and the types in its angle brackets.
pub fn last_segment(ty: &Type) -> Option<(&Ident, Vec<&Type>)> {
    let path = match ty {
        Type::Path(path) if path.qself.is_none() => path,
        Type::Group(group) => return last_segment(&group.elem),
        Type::Paren(paren) => return last_segment(&paren.elem),
        _ => return None,
    };
    let segment = path.path.segments.last()?;
    let types = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().filter_map(type_of).collect(),
        _ => Vec::new(),
    };
    Some((&segment.ident, types))
}

fn type_of(argument: &GenericArgument) -> Option<&Type> {
    match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    }
}

/// The `A` of `Vec<Call<A>>`.
pub fn batch_payload(ty: &Type) -> Option<&Type> {
    let (list, calls) = last_segment(ty)?;
    let (call, payload) = last_segment(calls.first()?)?;
    if list == "Vec" && call == "Call" { payload.first().copied() } else { None }
}

/// The code for a default's value. A text in quotes becomes the `String` that the parameter most likely is.
pub fn default_value(value: Option<&Expr>) -> TokenStream {
    match value {
        Some(text @ Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(_), .. })) => {
            quote!(::core::convert::Into::into(#text))
        }
        Some(value) => quote!(#value),
        None => quote!(::core::default::Default::default()),
    }
}
