//! What is missing to draw names, said once.

use std::thread;

use madang_mixer::canvas::SharedFonts;

use super::pool::lower_priority;

/// Looks for fonts and says what is missing, on a thread of its own: it reads directories and
/// files, which is not to hold up the start, nor the first picture.
pub(crate) fn warn_of_fonts(fonts: SharedFonts) {
    let look = move || {
        lower_priority();
        for warning in warnings(&fonts) {
            tracing::warn!("names in mixed pictures: {warning}");
        }
    };
    if let Err(why) = thread::Builder::new().name("fonts".to_owned()).spawn(look) {
        tracing::debug!(%why, "nobody looks for fonts");
    }
}

fn warnings(shared: &SharedFonts) -> Vec<String> {
    let (fonts, sources) = (shared.open(), shared.sources());
    let mut warnings: Vec<_> = fonts.warnings().iter().map(ToString::to_string).collect();
    if let Some(family) = sources.family.as_ref().filter(|family| fonts.family() != family.as_str()) {
        let used = if fonts.family().is_empty() { "none" } else { fonts.family() };
        warnings.push(format!(
            "`mix.font` = {family:?}: no such family is installed, used is {used}; install it, or give the path of its \
             file"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use madang_mixer::canvas::FontSources;

    use super::*;

    #[test]
    fn a_family_that_is_not_there_and_a_file_that_is_none_are_named() {
        let family = FontSources { family: Some("Nobody Has This Sans".into()), ..FontSources::default() };
        let why = warnings(&SharedFonts::new(family)).join("\n");
        assert!(why.contains("mix.font") && why.contains("Nobody Has This Sans") && why.contains("install"), "{why}");
        let file = FontSources { files: vec!["/nowhere/font.otf".into()], ..FontSources::default() };
        let why = warnings(&SharedFonts::new(file)).join("\n");
        assert!(why.contains("/nowhere/font.otf is no font"), "{why}");
    }

    #[test]
    fn a_machine_without_fonts_is_told_what_to_install() {
        let why = warnings(&SharedFonts::new(FontSources { system: false, ..FontSources::default() })).join("\n");
        assert!(why.contains("fonts-noto-cjk"), "{why}");
    }
}
