//! From a function to a task: the function as it was, and beside it a type of the same name that the
//! runtime's side of the SDK can call.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, FnArg, ItemFn, Lit, Meta};

use crate::hook::Hook;
use crate::options::Options;
use crate::parameters::{Parameter, Role, default_value};
use crate::returns::Returns;
use crate::schema;
use crate::signature::{self, Signature};
use crate::values;

pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Vec::new();
    let options = Options::read(options, &mut errors);
    let mut function = match signature::function(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#item #error);
        }
    };
    let signature = Signature::read(&mut function, &options, &mut errors);
    match (signature, combined(errors)) {
        (Some(signature), None) => expand(&function, &signature, &options),
        (_, errors) => with_errors(&function, errors),
    }
}

fn combined(errors: Vec<Error>) -> Option<TokenStream> {
    let mut errors = errors.into_iter();
    let mut first = errors.next()?;
    errors.for_each(|error| first.combine(error));
    Some(first.to_compile_error())
}

/// The function, and its task.
fn expand(function: &ItemFn, signature: &Signature, options: &Options) -> TokenStream {
    let (name, doc) = (signature.name(), doc(&function.attrs));
    let (input, body) = match options.batch {
        Some(_) => (schema::batch_input(signature), batch_body(signature)),
        None => (Some(schema::input(signature)), body(signature)),
    };
    let input = values::option(input.map(|schema| quote!(#schema)));
    let output = values::option(schema::output(signature.result.as_ref()).map(|schema| quote!(#schema)));
    let needs = options.named_functions();
    let needs = quote!(&[#(<#needs as ::margay_sdk::__private::Task>::NAME),*]);
    let hook = values::option(options.hook.map(Hook::tokens));
    let options = options.tokens();
    let members = quote! {
        const DOC: &'static str = #doc;
        const INPUT: ::core::option::Option<&'static str> = #input;
        const OUTPUT: ::core::option::Option<&'static str> = #output;
        const BODY: ::margay_sdk::__private::Body = #body;
        const HOOK: ::core::option::Option<::margay_sdk::__private::types::Hook> = #hook;
        const NEEDS: &'static [&'static str] = #needs;

        fn options() -> ::margay_sdk::__private::types::FunctionOptions {
            #options
        }
    };
    let task = beside(function, &name, &members);
    quote!(#function #task)
}

/// The function, its mistakes, and an empty task, so that `export!` does not complain as well.
fn with_errors(function: &ItemFn, errors: Option<TokenStream>) -> TokenStream {
    if function.sig.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_))) {
        return quote!(#function #errors);
    }
    let members = quote! {
        const DOC: &'static str = "";
        const INPUT: ::core::option::Option<&'static str> = ::core::option::Option::None;
        const OUTPUT: ::core::option::Option<&'static str> = ::core::option::Option::None;
        const BODY: ::margay_sdk::__private::Body = ::margay_sdk::__private::Body::One(|_| ::core::unreachable!());
        const HOOK: ::core::option::Option<::margay_sdk::__private::types::Hook> =
            ::core::option::Option::None;
        const NEEDS: &'static [&'static str] = &[];

        fn options() -> ::margay_sdk::__private::types::FunctionOptions {
            ::core::unreachable!()
        }
    };
    let task = beside(function, &function.sig.ident.to_string(), &members);
    quote!(#function #errors #task)
}

/// A struct with braces has a name among the types only, so it can share the function's.
fn beside(function: &ItemFn, name: &str, members: &TokenStream) -> TokenStream {
    let (visibility, ident) = (&function.vis, &function.sig.ident);
    let conditions: Vec<_> =
        function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect();
    quote! {
        #(#conditions)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, reason = "it stands for the function, under its name")]
        #visibility struct #ident {}

        #(#conditions)*
        #[allow(clippy::all, clippy::pedantic, reason = "generated")]
        impl ::margay_sdk::__private::Task for #ident {
            const NAME: &'static str = #name;
            #members
        }
    }
}

/// Names of our own, which a default's expression cannot see.
fn own(name: &str) -> syn::Ident {
    syn::Ident::new(name, Span::mixed_site())
}

/// A place in the user's code for messages about our own.
fn at(place: &impl Spanned) -> Span {
    Span::call_site().located_at(place.span())
}

/// The code of a function of one call.
fn body(signature: &Signature) -> TokenStream {
    let (ident, name) = (&signature.ident, signature.name());
    let names = signature.arguments().map(Parameter::name);
    let (call, arguments) = (own("call"), own("arguments"));
    let mut reads = TokenStream::new();
    let mut passed = Vec::new();
    let mut index: usize = 0;
    for parameter in &signature.parameters {
        if let Role::Context { by_reference } = parameter.role {
            passed.push(context(by_reference));
            continue;
        }
        let variable = own(&format!("argument_{index}"));
        let value = read(parameter, &arguments, index);
        let ty = &parameter.ty;
        reads.extend(quote!(let #variable: #ty = #value;));
        passed.push(quote!(#variable));
        index += 1;
    }
    let (result, answer) = answer(signature);
    quote! {
        ::margay_sdk::__private::Body::One(|#call| {
            let #arguments = ::margay_sdk::__private::Arguments::read(#call, #name, &[#(#names),*])?;
            #reads
            let #result = #ident(#(#passed),*);
            #answer
        })
    }
}

/// The code that turns what the function returned into JSON. A type that is none is marked in the signature.
fn answer(signature: &Signature) -> (syn::Ident, TokenStream) {
    let place = signature.result.as_ref().map_or_else(|| at(&signature.ident), at);
    let result = syn::Ident::new("result", Span::mixed_site().located_at(place));
    let answer = match signature.returns {
        Returns::Value => quote_spanned!(place=> ::margay_sdk::__private::answer(#result)),
        Returns::Result => quote_spanned!(place=> ::margay_sdk::__private::answer_result(#result)),
        Returns::Answers => {
            quote_spanned!(place=> ::core::result::Result::Ok(::margay_sdk::__private::answers(#result)))
        }
        Returns::ResultOfAnswers => {
            quote_spanned!(place=> ::core::result::Result::Ok(::margay_sdk::__private::answers(#result?)))
        }
    };
    (result, answer)
}

/// The code that takes one argument.
fn read(parameter: &Parameter, arguments: &syn::Ident, index: usize) -> TokenStream {
    let ty = &parameter.ty;
    let place = at(ty);
    match &parameter.role {
        Role::Optional => quote_spanned! {place=>
            #arguments.optional::<#ty>(#index)?.unwrap_or(::core::option::Option::None)
        },
        Role::Default(value) => {
            let value = default_value(value.as_ref());
            quote_spanned! {place=>
                match #arguments.optional::<#ty>(#index)? {
                    ::core::option::Option::Some(value) => value,
                    ::core::option::Option::None => #value,
                }
            }
        }
        Role::Required | Role::Context { .. } => quote_spanned!(place=> #arguments.required::<#ty>(#index)?),
    }
}

/// The code of a batch function.
fn batch_body(signature: &Signature) -> TokenStream {
    let ident = &signature.ident;
    let (calls, good) = (own("calls"), own("good"));
    let passed = signature.parameters.iter().map(|parameter| match parameter.role {
        Role::Context { by_reference } => context(by_reference),
        _ => quote!(#good),
    });
    let name = signature.arguments().next().map(Parameter::name).unwrap_or_default();
    let (result, answer) = answer(signature);
    quote! {
        ::margay_sdk::__private::Body::Many(|#calls| {
            ::margay_sdk::__private::run_batch(#calls, #name, |#good| {
                let #result = #ident(#(#passed),*);
                #answer
            })
        })
    }
}

fn context(by_reference: bool) -> TokenStream {
    let reference = by_reference.then(|| quote!(&));
    quote!(#reference ::margay_sdk::Context::current())
}

/// The doc comment, without the space that follows each `///`.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(line) if line.path.is_ident("doc") => match &line.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned()).collect();
    lines.join("\n").trim().to_owned()
}
