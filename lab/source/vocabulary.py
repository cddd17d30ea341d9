"""Words for generated posts that the real rows do not provide."""

from __future__ import annotations

COUNTRIES = tuple(
    name.strip()
    for name in """
Afghanistan; Albania; Algeria; American Samoa; Andorra; Angola; Anguilla;
Antarctica (the territory South of 60 deg S); Antigua and Barbuda; Argentina; Armenia; Aruba; Australia; Austria;
Azerbaijan; Bahamas; Bahrain; Bangladesh; Barbados; Belarus; Belgium; Belize; Benin; Bermuda; Bhutan; Bolivia;
Bosnia and Herzegovina; Botswana; Bouvet Island (Bouvetoya); Brazil;
British Indian Ocean Territory (Chagos Archipelago); British Virgin Islands; Brunei Darussalam; Bulgaria;
Burkina Faso; Burundi; Cambodia; Cameroon; Canada; Cape Verde; Cayman Islands; Central African Republic; Chad; Chile;
China; Christmas Island; Cocos (Keeling) Islands; Colombia; Comoros; Congo; Cook Islands; Costa Rica; Cote d'Ivoire;
Croatia; Cuba; Cyprus; Czech Republic; Denmark; Djibouti; Dominica; Dominican Republic; Ecuador; Egypt; El Salvador;
Equatorial Guinea; Eritrea; Estonia; Ethiopia; Falkland Islands (Malvinas); Faroe Islands; Fiji; Finland; France;
French Guiana; French Polynesia; French Southern Territories; Gabon; Gambia; Georgia; Germany; Ghana; Gibraltar;
Greece; Greenland; Grenada; Guadeloupe; Guam; Guatemala; Guernsey; Guinea; Guinea-Bissau; Guyana; Haiti;
Heard Island and McDonald Islands; Holy See (Vatican City State); Honduras; Hong Kong; Hungary; Iceland; India;
Indonesia; Iran; Iraq; Ireland; Isle of Man; Israel; Italy; Jamaica; Japan; Jordan; Kazakhstan; Kenya;
Kiribati; Korea; Kuwait; Kyrgyz Republic; Lao People's Democratic Republic; Latvia; Lebanon; Lesotho; Liberia;
Libyan Arab Jamahiriya; Liechtenstein; Lithuania; Luxembourg; Macao; Macedonia; Madagascar; Malawi; Malaysia;
Maldives; Mali; Malta; Marshall Islands; Martinique; Mauritania; Mauritius; Mayotte; Mexico; Micronesia; Moldova;
Monaco; Mongolia; Montenegro; Montserrat; Morocco; Mozambique; Myanmar; Namibia; Nauru; Nepal;
Netherlands Antilles; Netherlands; New Caledonia; New Zealand; Nicaragua; Niger; Nigeria; Niue; Norfolk Island;
Northern Mariana Islands; Norway; Oman; Pakistan; Palau; Palestinian Territory; Panama; Papua New Guinea; Paraguay;
Peru; Philippines; Pitcairn Islands; Poland; Portugal; Puerto Rico; Qatar; Reunion; Romania; Russian Federation;
Rwanda; Saint Barthelemy; Saint Helena; Saint Kitts and Nevis; Saint Lucia; Saint Martin; Saint Pierre and Miquelon;
Saint Vincent and the Grenadines; Samoa; San Marino; Sao Tome and Principe; Saudi Arabia; Senegal; Serbia;
Seychelles; Sierra Leone; Singapore; Slovakia (Slovak Republic); Slovenia; Solomon Islands; Somalia; South Africa;
South Georgia and the South Sandwich Islands; Spain; Sri Lanka; Sudan; Suriname; Svalbard & Jan Mayen Islands;
Swaziland; Sweden; Switzerland; Syrian Arab Republic; Taiwan; Tajikistan; Tanzania; Thailand; Timor-Leste; Togo;
Tokelau; Tonga; Trinidad and Tobago; Tunisia; Turkey; Turkmenistan; Turks and Caicos Islands; Tuvalu; Uganda;
Ukraine; United Arab Emirates; United Kingdom; United States Minor Outlying Islands; United States of America;
United States Virgin Islands; Uruguay; Uzbekistan; Vanuatu; Venezuela; Vietnam; Wallis and Futuna; Western Sahara;
Yemen; Zambia; Zimbabwe
""".replace("\n", " ").split(";")
)

TITLES = (
    "{count} {tag} That Will Inspire You",
    "{count} Best {tag}",
    "{tag} | {other}",
    "{tag}: {other} for Beginners",
    "How to Start With {tag}",
    "{tag} and {other}",
    'The "{tag}" Guide: {count} Easy Ideas',
    "{tag} - {other} & More",
)
SENTENCES = (
    "Looking for {tag}? Here are {count} ideas, from {other} to things you have never seen.",
    "{tag}, {other} and a few more that our readers saved again and again.",
    "We tried {count} kinds of {tag}; these are the ones that worked.",
    "Save this for later: {tag} made easy, step by step, with photos.",
    'My grandmother called it "{tag}". I call it {other}.',
)
EMOJI = ("😀", "🎄", "✨", "💅🏽", "🏡", "👩‍🏫", "🧵", "🚗", "💍", "🖤")
OTHER_SCRIPTS = ("Καλημέρα", "Красивый маникюр", "רעיונות לבית", "手作り", "Décoration de Noël", "Über uns")
POSTER_WORDS = ("Studio", "Home", "Ideas", "Life", "Mom", "Craft", "Design", "World", "Daily", "Blog", "Ink", "Travel")
