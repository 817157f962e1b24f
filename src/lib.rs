pub mod connector;
pub mod connectors;
pub mod failure;
pub mod ids;
pub mod message;
pub mod store;
pub mod yaml;
