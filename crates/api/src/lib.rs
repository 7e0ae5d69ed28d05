//! The wire of Fallow: messages, servers and clients made from the protos, their JSON, and the reasons of refusals.

pub mod client;
pub mod convert;
pub mod json;
pub mod problem;
pub mod reasons;
pub mod render;
pub mod status;
pub mod violation;

/// Version 1 of the contract, made by `cargo xtask codegen`; the comments of `proto/fallow/v1` are the manual.
#[allow(missing_docs, unreachable_pub)]
#[allow(clippy::all, clippy::wildcard_enum_match_arm, clippy::cast_possible_truncation)]
#[allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags, rustdoc::bare_urls)]
pub mod v1 {
    include!("generated/fallow.v1.rs");

    mod fallow_json {
        use crate::json;

        include!("generated/fallow.v1.json.rs");
    }
}

/// The encoded file descriptor set of version 1, which reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptor.binpb");
