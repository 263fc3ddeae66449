//! Reaches the place `step` three times and says so: what the tests arm.

fn main() {
    for step in 1..=3 {
        backstitch_failpoint::hit_of("step", || "taken".to_owned());
        let label = backstitch_failpoint::Label::new(|| vec!["carried".to_owned()]);
        label.hit("step");
        #[allow(clippy::print_stdout, reason = "its only way to be seen")]
        {
            println!("{step}");
        }
    }
}
