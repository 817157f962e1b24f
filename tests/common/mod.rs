pub mod servers {
    pub fn postgres_url() -> String {
        std::env::var("PGURL").unwrap()
    }
}
